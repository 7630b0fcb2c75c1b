import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError

ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)


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
    with pytest.raises(InputError, match="no row has gender = 'male'; did you mean 'Male'"):
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


def test_what_is_printed_holds_no_value(table):
    secret = EmbeddingTable(
        np.full((2, 3), 0.123456, dtype=np.float32), pa.table({"g": ["a", "b"]})
    )
    assert repr(secret) == "EmbeddingTable(2 rows, 3 features, label columns: 'g', source: 'table')"
    assert "columns: none" in repr(EmbeddingTable(ROWS, pa.table({})))
    assert str(secret) == repr(secret)
