import warnings

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import (
    EmbeddingTable,
    check_vectors,
    squared_norms,
    vectors_from_arrow,
    vectors_to_arrow,
)
from sensitivenets.errors import InputError

ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


def column(kind, rows=ROWS, chunks=1):
    parts = np.array_split(np.asarray(rows, dtype=kind.value_type.to_pandas_dtype()), chunks)
    return pa.chunked_array([pa.array(list(part), kind) for part in parts], kind)


# From Arrow to numpy and back


def test_a_float32_column_becomes_a_view_of_its_own_memory():
    buffer = np.ascontiguousarray(ROWS).reshape(-1)
    chunk = pa.FixedSizeListArray.from_arrays(pa.array(buffer), 3)
    vectors = vectors_from_arrow(pa.chunked_array([chunk]), "t")
    np.testing.assert_array_equal(vectors, ROWS)
    arrow_memory = np.frombuffer(chunk.values.buffers()[1], dtype=np.float32)
    assert np.shares_memory(vectors, arrow_memory)
    assert np.shares_memory(vectors, buffer)
    assert not vectors.flags.writeable


def test_a_slice_is_a_view_of_its_part():
    whole = vectors_to_arrow(ROWS)
    vectors = vectors_from_arrow(pa.chunked_array([whole.slice(1, 2)]), "t")
    np.testing.assert_array_equal(vectors, ROWS[1:3])
    assert np.shares_memory(vectors, np.frombuffer(whole.values.buffers()[1], dtype=np.float32))


def test_to_arrow_copies_nothing():
    vectors = ROWS.copy()
    buffer = vectors_to_arrow(vectors).values.buffers()[1]
    assert np.shares_memory(np.frombuffer(buffer, dtype=np.float32), vectors)


@pytest.mark.parametrize("value", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("make", [pa.list_, pa.large_list, lambda v: pa.list_(v, 3)])
@pytest.mark.parametrize("chunks", [1, 3])
def test_every_float_list_gives_float32(make, value, chunks):
    vectors = vectors_from_arrow(column(make(value), chunks=chunks), "t")
    np.testing.assert_array_equal(vectors, ROWS)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("rows", "kind", "message"),
    [
        ([[1.0, 2.0], [3.0]], pa.list_(pa.float32()), "t, row 1: expected 2 features as in row 0"),
        ([[1.0], None, None], pa.list_(pa.float32()), r"t, row 1: no embedding \(2 such rows\)"),
        ([[1.0], None], pa.list_(pa.float32(), 1), r"t, row 1: no embedding \(1 such rows\)"),
        ([[1.0, 2.0], [3.0, None]], pa.list_(pa.float32()), "t, row 1: null among the features"),
        ([[1, 2]], pa.list_(pa.int64()), "expected a list of float16, float32 or float64 in each"),
        (["a"], pa.string(), "found string; name the right column with --embedding"),
        ([1.0], pa.float32(), "found float"),
        ([[[1.0]]], pa.list_(pa.list_(pa.float32())), "expected a list of float16"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True])
def test_columns_that_are_no_matrix(rows, kind, message, chunked):
    chunks = [pa.array([row], kind) for row in rows] if chunked else [pa.array(rows, kind)]
    with pytest.raises(InputError, match=message):
        vectors_from_arrow(pa.chunked_array(chunks, kind), "t")


def test_mixed_dimensions_across_chunks_are_found():
    kind = pa.list_(pa.float32())
    chunks = [pa.array([[1.0, 2.0]] * 3, kind), pa.array([[1.0, 2.0, 3.0]] * 2, kind)]
    message = "row 3: expected 2 features as in row 0, found 3; embed all rows with one model"
    with pytest.raises(InputError, match=message):
        vectors_from_arrow(pa.chunked_array(chunks), "t")


@pytest.mark.parametrize("rows", [[], [[], []]])
def test_columns_without_a_number_are_called_empty(rows):
    vectors = vectors_from_arrow(pa.chunked_array([pa.array(rows, pa.list_(pa.float32()))]), "t")
    with pytest.raises(InputError, match="expected at least one embedding, found shape"):
        check_vectors(vectors, "t")


def test_a_column_without_chunks_is_empty():
    empty = pa.chunked_array([], pa.list_(pa.float32()))
    assert vectors_from_arrow(empty, "t").shape == (0, 0)


# The checks at the door


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_values_that_are_not_finite(value, dtype):
    vectors = np.ones((5, 3), dtype=dtype)
    vectors[2, 1] = vectors[4, 0] = value
    with pytest.raises(
        InputError,
        match=r"faces, row 2, feature 1: NaN, infinite .* \(2 such rows of 5\); drop these rows",
    ):
        check_vectors(vectors, "faces")


def test_values_that_overflow_when_squared():
    with pytest.raises(InputError, match=r"row 0: NaN, infinite or overflowing value"):
        check_vectors(np.full((2, 2), 1e30, dtype=np.float32), "t")


def test_zero_vectors():
    vectors = np.ones((5, 3), dtype=np.float32)
    vectors[[1, 3]] = 0
    with pytest.raises(InputError, match=r"faces, row 1: zero vector.* \(2 such rows of 5\)"):
        check_vectors(vectors, "faces")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
def test_empty_matrices(shape):
    with pytest.raises(InputError, match="expected at least one embedding, found shape"):
        check_vectors(np.empty(shape, dtype=np.float32), "t")


def test_what_is_no_matrix():
    with pytest.raises(InputError, match=r"expected a matrix .* found shape \(3,\)"):
        check_vectors(np.ones(3), "t")


def test_the_blocks_of_the_check_hide_nothing(set_block_rows):
    set_block_rows(2)
    np.testing.assert_allclose(squared_norms(ROWS), (ROWS**2).sum(axis=1))
    vectors = np.ones((5, 2), dtype=np.float32)
    vectors[4, 1] = np.nan
    with pytest.raises(InputError, match="row 4, feature 1"):
        check_vectors(vectors, "t")


# The table


def test_vectors_and_labels_must_have_the_same_rows():
    with pytest.raises(InputError, match=r"faces: expected one label row for each of 4 .* found 2"):
        EmbeddingTable(ROWS, pa.table({"a": ["x", "y"]}), "faces")


def test_a_table_is_checked_whatever_made_it(table):
    with pytest.raises(InputError, match=r"small\.parquet: column 'embedding', row 0"):
        table.with_vectors(np.full((12, 4), np.nan, dtype=np.float32))


def test_a_missing_column_is_named_with_those_that_are_there(table):
    with pytest.raises(InputError, match="no column 'sex'; its label columns are 'subject', 'gen"):
        table.labels("sex")
    with pytest.raises(InputError, match="its label columns are none"):
        EmbeddingTable(ROWS, pa.table({})).column("sex")


def test_null_labels_are_unlabelled(table):
    gender = table.labels("gender")
    assert gender.codes[0] == -1
    assert gender.counts() == {"Female": 6, "Male": 5}


def test_attributes_have_two_classes(table):
    assert list(table.attributes(["gender", "age"])) == ["gender", "age"]
    with pytest.raises(InputError, match="column 'gender': expected at least two classes"):
        table.where("gender", "Male").attributes(["gender"])


def test_where_keeps_the_rows_of_one_value(table):
    men = table.where("gender", "Male")
    rows = [k for k, g in enumerate(table.columns["gender"].to_pylist()) if g == "Male"]
    np.testing.assert_array_equal(men.vectors, table.vectors[rows])
    assert men.columns["age"].to_pylist() == [20 + k for k in rows]
    assert len(table.where("age", "25")) == 1


def test_where_names_the_values_there_are(table):
    with pytest.raises(InputError, match="no row has gender = 'male'; its values are 'Female', 'M"):
        table.where("gender", "male")


def test_take_by_mask_and_by_index_agree(table):
    mask = np.arange(12) % 5 == 1
    by_mask, by_index = table.take(mask), table.take(np.flatnonzero(mask))
    np.testing.assert_array_equal(by_mask.vectors, by_index.vectors)
    assert by_mask.columns.equals(by_index.columns)
    assert by_mask.columns["age"].to_pylist() == [21, 26, 31]


def test_taking_nothing_says_to_check_the_filter(table):
    with pytest.raises(InputError, match="check the file or the filter"):
        table.take(np.zeros(12, dtype=bool))


def test_a_table_without_labels_can_be_taken_from():
    assert len(EmbeddingTable(ROWS, pa.table({})).take(np.array([0, 3]))) == 2


def test_nothing_warns_on_the_way_to_a_refusal():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (np.nan, np.inf, 1e38):
            with pytest.raises(InputError):
                check_vectors(np.full((2, 2), value, dtype=np.float32), "t")
