"""A model as a function of record batches: what transform writes, in the types that came in."""

import inspect
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sensitivenets.arrow import agnostic, agnostic_batches
from sensitivenets.embeddings import canonical_values, vectors_from_arrow, vectors_to_arrow
from sensitivenets.errors import InputError

KINDS = [
    pa.list_(pa.float32()),
    pa.list_(pa.field("element", pa.float64(), nullable=False)),
    pa.large_list(pa.float32()),
    pa.list_(pa.float32(), 4),
    pa.list_(pa.float16(), 4),
    pa.fixed_shape_tensor(pa.float32(), [4]),
]


@pytest.fixture
def batch(table):
    columns = {"embedding": vectors_to_arrow(table.vectors)}
    columns |= {name: table.columns[name].combine_chunks() for name in table.columns.column_names}
    return pa.record_batch(columns)


def with_embedding(batch, kind):
    storage = getattr(kind, "storage_type", kind)
    cast = batch["embedding"].cast(storage)
    column = cast if storage == kind else pa.ExtensionArray.from_storage(kind, cast)
    return batch.set_column(0, pa.field("embedding", kind), column)


def test_it_gives_what_transform_writes_without_what_the_model_removes(model, batch, table):
    made = agnostic(model)(batch)
    assert made.schema.names == ["embedding", "subject", "age"]
    found = vectors_from_arrow(pa.chunked_array([made["embedding"]]), "made")
    np.testing.assert_array_equal(found, canonical_values(model.map(table.vectors)))
    assert made["subject"] == batch["subject"]
    assert "gender" in agnostic(model, keep=["gender"])(batch).schema.names


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_kind_of_list_stays_and_is_known_beforehand(model, batch, kind):
    given = with_embedding(batch, kind)
    phi = agnostic(model)
    made = phi(given)
    assert made.schema == phi.schema(given.schema)
    width = getattr(made.schema.field(0).type, "list_size", None)
    assert width == (3 if pa.types.is_fixed_size_list(kind) else None)
    assert type(made.schema.field(0).type) is type(kind)
    as_lists = vectors_from_arrow(pa.chunked_array([made["embedding"]]), "made")
    plain = vectors_from_arrow(pa.chunked_array([phi(batch)["embedding"]]), "made")
    np.testing.assert_allclose(as_lists, plain, atol=5e-3 if "half" in str(kind) else 0)
    assert phi(given.slice(0, 0)).schema == made.schema


def test_a_table_in_is_a_table_out(model, batch):
    made = agnostic(model)(pa.Table.from_batches([batch.slice(0, 5), batch.slice(5)]))
    assert isinstance(made, pa.Table)
    assert made["embedding"].to_pylist() == agnostic(model)(batch)["embedding"].to_pylist()


def test_features_in_columns_become_one_column(model, table):
    wide = pa.table({"id": range(12), **{f"f{k}": table.vectors[:, k] for k in range(4)}})
    made = agnostic(model, embedding="f*")(wide)
    assert made.column_names == ["id", "embedding"]
    found = vectors_from_arrow(made["embedding"], "made")
    np.testing.assert_array_equal(found, canonical_values(model.map(table.vectors)))


def test_frames_go_through_arrow(model, batch, table):
    expected = canonical_values(model.map(table.vectors))
    frame = pl.from_arrow(agnostic(model)(pl.from_arrow(batch).to_arrow()))
    np.testing.assert_array_equal(frame["embedding"].to_numpy(), expected)
    given = pd.DataFrame({"embedding": list(table.vectors), "id": range(12)})
    back = agnostic(model)(pa.Table.from_pandas(given, preserve_index=False)).to_pandas()
    np.testing.assert_array_equal(np.stack(back["embedding"]), expected)


def test_batches_travel_to_a_worker_and_are_mapped_one_by_one(model, batch):
    phi = pickle.loads(pickle.dumps(agnostic_batches(model)))
    # Spark looks at what a function takes.
    assert "batches" in inspect.getfullargspec(phi).args
    seen = []
    made = phi(seen.append(k) or batch.slice(k, 3) for k in (0, 3, 6))
    assert len(next(made)) == 3
    assert seen == [0]
    assert len(list(made)) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda b: b.rename_columns(["vec", *b.schema.names[1:]]),
            r"^batch: no column 'embedding'; .*'v",
        ),
        (
            lambda b: b.set_column(0, "embedding", b["age"]),
            r"^batch: column 'embedding': expected a list",
        ),
        (
            lambda b: b.set_column(0, "embedding", pa.array([[1.0] * 3] * 12)),
            r"^expected embeddings of 4 features, found an array of shape \(12, 3\)",
        ),
        (
            lambda b: b.set_column(0, "embedding", pa.array([[1.0] * 4, None, *[[1.0] * 4] * 10])),
            r"^batch: column 'embedding', row 1: no embedding",
        ),
        (
            lambda b: b.set_column(0, "embedding", pa.array([[1.0] * 4, *[[0.0] * 4] * 11])),
            r"^batch, row 1: zero vector",
        ),
    ],
)
def test_what_cannot_be_mapped_is_refused(model, batch, change, message):
    with pytest.raises(InputError, match=message):
        agnostic(model)(change(batch))


def test_only_what_is_fitted_is_a_function(table):
    with pytest.raises(InputError, match="expected a Model or a fitted estimator, found Embed"):
        agnostic(table)
