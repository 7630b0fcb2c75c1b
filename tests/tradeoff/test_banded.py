"""Numbers to hide: bands of the reference stand for them in both tables."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from sklearn.neighbors import KNeighborsRegressor

from sensitivenets import protect
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.embeddings.number_bands import edges_named, number_bands
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.tradeoff.banded import banded
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.own_table import fitted_on, on_table

pytestmark = pytest.mark.filterwarnings("ignore::sensitivenets.errors.DataWarning")


def aged(n, seed):
    """Rows that show an age in one direction, and by a bend in another."""
    rng = np.random.default_rng(seed)
    age = rng.uniform(18, 80, n)
    X = rng.standard_normal((n, 8))
    X[:, 0] += (age - 49) / 6
    X[:, 1] += 4 * np.sin(age / 10)
    return EmbeddingTable(X.astype(np.float32), pa.table({"age": age, "at": np.arange(n)}))


KNOWN, MINE = aged(1600, 0), aged(1200, 1)


def r2(vectors):
    """R2 of neighbours who know the ages of half of the table."""
    age, half = MINE.numbers("age"), len(MINE) // 2
    reader = KNeighborsRegressor(15).fit(vectors[:half], age[:half])
    return reader.score(vectors[half:], age[half:])


def test_a_number_of_a_table_is_hardly_read_any_more():
    asked = banded(MINE, KNOWN, ["age"])
    fitted = fitted_on(asked.reference, ["age"], Candidate(), MINE.vectors, 0)
    moved = on_table(fitted, Candidate(), MINE.vectors, None, 0)
    assert r2(MINE.vectors) > 0.85
    assert r2(moved.vectors) < 0.25


@pytest.mark.slow
def test_what_protect_keeps_of_a_number():
    protected = protect(MINE, KNOWN, continuous="age", utility_budget=None, quick=True, n_jobs=1)
    assert r2(protected.table.vectors) < 0.25
    assert protected.table.columns.column_names == ["at"]
    assert protected.unlabelled == ()
    # The bands of the reference, attacked where the table's own ages fall.
    [attribute] = protected.audit.attributes
    assert attribute.name == "age"
    assert len(protected.model.removed["age"]) == 8


def test_a_model_that_removes_bands_brings_them():
    bands = number_bands(KNOWN.numbers("age"))
    model = RoutedTransport(n_rounds=1, random_state=0).fit(KNOWN.vectors, sensitive={"age": bands})
    found = banded(MINE, model.model_, ["age"])
    # The names round the edges to six digits.
    same = np.array(found.table.column("age").to_pylist()) == np.array(
        banded(MINE, KNOWN, ["age"]).table.column("age").to_pylist()
    )
    assert same.mean() > 0.99
    np.testing.assert_array_equal(found.numbers["age"], MINE.numbers("age"))


def test_ages_beyond_those_of_the_reference_are_in_its_last_bands():
    far = replace(MINE, columns=pa.table({"age": np.where(MINE.numbers("age") > 50, 130.0, -5.0)}))
    bands = banded(far, KNOWN, ["age"]).table.column("age").to_pylist()
    assert set(bands) <= set(number_bands(KNOWN.numbers("age")))
    assert len(set(bands)) == 2


def test_a_table_need_not_know_the_number():
    found = banded(MINE.take(np.arange(9)), KNOWN, ["age"])
    assert set(found.numbers) == {"age"}
    bare = replace(MINE, columns=MINE.columns.drop_columns(["age"]))
    assert banded(bare, KNOWN, ["age"]).numbers == {}


def test_what_is_no_number_is_said():
    text = replace(KNOWN, columns=pa.table({"age": ["old"] * len(KNOWN)}))
    with pytest.raises(InputError, match="column 'age': expected numbers, found string"):
        banded(MINE, text, ["age"])
    by_group = RoutedTransport(n_rounds=1, random_state=0).fit(
        KNOWN.vectors, sensitive={"age": np.where(KNOWN.numbers("age") > 50, "old", "young")}
    )
    with pytest.raises(InputError, match="removes the number 'age', found one that removes 'age'"):
        banded(MINE, by_group.model_, ["age"])
    with pytest.raises(InputError, match="expected an attribute or a number to hide, found none"):
        protect(MINE, KNOWN)


@pytest.mark.parametrize(
    ("names", "edges"),
    [
        (["-2 to 1", "1 to 2.5"], [-2, 1, 2.5]),
        (["1 to 2.5", "-2 to 1"], [-2, 1, 2.5]),
        (["1 to 2", "3 to 4"], None),
        (["old", "young"], None),
        (["1 to 2 to 3", "3 to 4"], None),
        ([], None),
    ],
)
def test_edges_are_read_back_from_names(names, edges):
    found = edges_named(names)
    assert found is None if edges is None else found.tolist() == edges
