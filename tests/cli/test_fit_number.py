"""``fit --continuous``: a number is removed, and asked for in words where it is none."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from sensitivenets import load_model, read_table, write_table
from sensitivenets.embeddings import EmbeddingTable


@pytest.fixture(scope="module")
def aged(tmp_path_factory):
    """Rows that show an age in one direction, and by a bend in another."""
    rng = np.random.default_rng(0)
    age = rng.uniform(18, 80, 3000)
    X = rng.standard_normal((3000, 12))
    X[:, 0] += (age - 49) / 9
    X[:, 1] += 3 * np.sin(age / 10)
    place = tmp_path_factory.mktemp("aged") / "table.parquet"
    columns = {"age": age, "name": [f"n{k}" for k in range(3000)]}
    write_table(EmbeddingTable(X.astype(np.float32), pa.table(columns)), place)
    return place, X.astype(np.float32), age


def r2(reader, X, y):
    return reader.fit(X[:2000], y[:2000]).score(X[2000:], y[2000:])


@pytest.mark.parametrize(
    ("method", "reader", "left"),
    [
        ("leace", LinearRegression(), 0.03),
        ("routed_transport", LinearRegression(), 0.1),
        ("routed_transport", KNeighborsRegressor(25), 0.15),
    ],
)
def test_a_number_is_hardly_read_any_more(run, aged, tmp_path, method, reader, left):
    place, X, age = aged
    options = ("--continuous", "age", "--method", method, "--out", tmp_path / "m")
    code, _, err = run("fit", place, *options)
    assert code == 0, err
    model = load_model(tmp_path / "m")
    assert len(model.removed["age"]) == 8
    assert r2(reader, X, age) > 0.7
    assert r2(reader, model.map(X), age) < left


def test_a_number_given_as_an_attribute_is_asked_about(run, aged, tmp_path):
    code, _, err = run(
        "fit", aged[0], "--remove", "age", "--method", "leace", "--out", tmp_path / "m"
    )
    assert code == 2
    assert "`fit --continuous age` removes it" in err


def test_texts_are_no_numbers(run, aged, tmp_path):
    options = ("--continuous", "name", "--method", "leace", "--out", tmp_path / "m")
    code, _, err = run("fit", aged[0], *options)
    assert code == 2
    assert "column 'name': expected numbers, found string" in err


@pytest.mark.slow
def test_a_table_is_protected_from_who_reads_the_number(run, aged, tmp_path):
    place, X, age = aged
    options = ("--reference", place, "--continuous", "age", "--quick", "--n-jobs", 1)
    code, printed, err = run("protect", place, *options, "--out", tmp_path / "p")
    assert code == 0, err
    assert printed.startswith("age: ")
    hidden = read_table(tmp_path / "p" / "table.parquet")
    assert hidden.columns.column_names == ["name"]
    assert r2(KNeighborsRegressor(25), hidden.vectors, age) < 0.15 < r2(LinearRegression(), X, age)


def test_nothing_to_hide_is_refused(run, aged, tmp_path):
    where = ("protect", aged[0], "--reference", aged[0], "--out", tmp_path / "p")
    code, _, err = run(*where)
    assert code == 2
    assert "expected --remove or --continuous, a column to hide, found none" in err
    code, _, err = run(*where, "--continuous", "age", "--sample", aged[0])
    assert code == 2
    assert "--sample: expected --remove with it" in err
