"""Record batches in and out: the same numbers as transform, for whoever speaks Arrow."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from sensitivenets.arrow import agnostic, agnostic_batches
from sensitivenets.embeddings import canonical_values, vectors_to_arrow
from sensitivenets.errors import InputError


@pytest.fixture
def faces(table):
    columns = {name: table.columns[name] for name in table.columns.column_names}
    return pa.table({"embedding": vectors_to_arrow(table.vectors)} | columns)


def vectors(made):
    return np.stack(made["embedding"].to_numpy(zero_copy_only=False))


def test_a_table_is_mapped_as_transform_maps_it(model, table, faces):
    made = agnostic(model)(faces)
    np.testing.assert_array_equal(vectors(made), canonical_values(model.map(table.vectors)))
    assert made.column_names == ["embedding", "subject", "age"]
    assert made["subject"].equals(table.columns["subject"])
    assert made.schema == agnostic(model).schema(faces.schema)
    assert pa.types.is_fixed_size_list(made.schema.field("embedding").type)


def test_batches_of_any_size_give_the_same_rows(model, faces):
    whole = vectors(agnostic(model)(faces))
    mapped = pickle.loads(pickle.dumps(agnostic_batches(model, keep=("gender",))))
    made = pa.Table.from_batches(mapped(iter(faces.to_batches(max_chunksize=5))))
    np.testing.assert_allclose(vectors(made), whole, rtol=2**-16)
    assert "gender" in made.column_names


def test_what_spark_has_stays_what_spark_has(model, faces):
    lists = faces.set_column(0, "embedding", faces["embedding"].cast(pa.list_(pa.float32())))
    (batch,) = lists.to_batches()
    made = agnostic(model)(batch)
    assert isinstance(made, pa.RecordBatch)
    assert made.schema.field("embedding").type == pa.list_(pa.float32())
    empty = next(agnostic_batches(model)([batch.slice(0, 0)]))
    assert (len(empty), empty.schema) == (0, made.schema)


def test_features_in_columns_become_one_column(model, table):
    wide = pa.table({f"f{k}": table.vectors[:, k] for k in range(4)} | {"id": range(12)})
    made = agnostic(model, embedding="f*")(wide)
    assert made.column_names == ["embedding", "id"]
    np.testing.assert_array_equal(vectors(made), canonical_values(model.map(table.vectors)))


def test_frames_go_through_arrow(model, faces, table):
    expected = canonical_values(model.map(table.vectors))
    frame = pl.from_arrow(agnostic(model)(pl.from_arrow(faces).to_arrow()))
    np.testing.assert_array_equal(frame["embedding"].to_numpy(), expected)
    given = pd.DataFrame({"embedding": list(table.vectors), "id": range(12)})
    back = agnostic(model)(pa.Table.from_pandas(given, preserve_index=False)).to_pandas()
    np.testing.assert_array_equal(np.stack(back["embedding"]), expected)
    assert back["id"].tolist() == list(range(12))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0]], "batch: expected embeddings of 4 features as the model was fitted on, fou"),
        ([[1.0, 2.0, 3.0, 4.0], None], "batch: column 'embedding', row 1: no embedding"),
        ([[1.0, 2.0, 3.0, float("nan")]], "batch, row 0, feature 3: NaN"),
    ],
)
def test_rows_that_cannot_be_mapped_are_refused(model, rows, message):
    with pytest.raises(InputError, match=message):
        agnostic(model)(pa.table({"embedding": rows}))
