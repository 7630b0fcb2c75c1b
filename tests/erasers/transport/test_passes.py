"""Routed transport from a file that is read in passes."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings import write_table
from sensitivenets.erasers.fit_table import fit_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model

ATTRIBUTES = ("gender", "ethnicity")


@pytest.fixture(scope="module")
def table():
    table = synthetic_diveface(n_subjects=900, images_per_subject=3, dim=32, random_state=0)
    gender = table.column("gender").to_pylist()
    gender[::50] = [None] * len(gender[::50])
    columns = pa.table({"gender": gender, "ethnicity": table.column("ethnicity")})
    return dataclasses.replace(table, columns=columns)


@pytest.fixture(scope="module")
def path(table, tmp_path_factory):
    path = tmp_path_factory.mktemp("passes") / "faces.parquet"
    write_table(table, path)
    return path


def in_memory(table, **parameters):
    sensitive = {name: table.column(name) for name in ATTRIBUTES}
    return RoutedTransport(random_state=0, **parameters).fit(table.vectors, sensitive=sensitive)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_rounds": 1, "router_shrinkage": 0.3},
        {"n_rounds": 2, "router_shrinkage": 0.3},
        {"n_rounds": 2, "router_shrinkage": 0.3, "rank": 6},
    ],
)
def test_rows_in_passes_give_the_map_of_all_rows_at_once(table, path, parameters):
    streamed = fit_table(
        RoutedTransport(random_state=0, **parameters),
        path,
        sensitive=ATTRIBUTES,
    )
    whole = in_memory(table, **parameters)
    cosines = np.einsum(
        "ij,ij->i", streamed.transform(table.vectors), whole.transform(table.vectors)
    )
    # Sums in another order: a row on the border of two groups may take the other side.
    assert np.mean(cosines > 0.9999) > 0.99


def test_the_shrinkage_is_chosen_on_rows_held_out_of_the_same_size(table, path):
    streamed = fit_table(RoutedTransport(random_state=0), path, sensitive=ATTRIBUTES)
    rounds = [record["router"] for record in streamed.model_.curve]
    expected = [record["router"] for record in in_memory(table).model_.curve]
    assert rounds[0]["shrinkage"] == expected[0]["shrinkage"]
    accuracies = [r[0]["balanced_accuracy"] for r in (rounds, expected)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.05)


def test_the_file_is_read_once_and_twice_a_round(path):
    told = []
    fit_table(
        RoutedTransport(n_rounds=2, random_state=0),
        path,
        sensitive=["gender"],
        progress=lambda done, total, _: told.append((done, total)),
    )
    assert told == [(2700, 2700)] * 5


def test_the_model_has_its_record(table, path, tmp_path):
    fitted = fit_table(RoutedTransport(n_rounds=1, random_state=0), path, sensitive=ATTRIBUTES)
    assert fitted.model_.removed == in_memory(table, n_rounds=1).model_.removed
    assert fitted.model_.fingerprint == in_memory(table, n_rounds=1).model_.fingerprint
    save_model(fitted.model_, tmp_path / "model")
    np.testing.assert_array_equal(
        load_model(tmp_path / "model").map(table.vectors), fitted.transform(table.vectors)
    )


def test_cells_and_missing_columns_are_refused(path):
    with pytest.raises(InputError, match="n_cell_rounds: expected 0 to fit in passes, found 2"):
        fit_table(RoutedTransport(n_cell_rounds=2), path, sensitive=["gender"])
    with pytest.raises(InputError, match="no column 'age'; its label columns are"):
        fit_table(RoutedTransport(), path, sensitive=["age"])


def test_other_rows_than_labels_are_refused(table):
    labels = table.attributes(["ethnicity"])
    with pytest.raises(InputError, match="expected 2700 rows in each pass, found 100"):
        RoutedTransport().fit_passes(lambda: [table.vectors[:100]], labels)


def test_the_size_of_blocks_changes_nothing(table):
    labels = table.attributes(ATTRIBUTES)
    fits = [
        RoutedTransport(n_rounds=2, random_state=0, router_shrinkage=0.1).fit_passes(
            lambda rows=rows: (table.vectors[k : k + rows] for k in range(0, 2700, rows)), labels
        )
        for rows in (313, 2700)
    ]
    one, other = (fit.transform(table.vectors) for fit in fits)
    np.testing.assert_array_equal(one, other)
