"""Two tables of the same rows: joined on a column that tells rows apart, else compared."""

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.embeddings.same_rows import match_rows
from sensitivenets.errors import InputError

X = np.arange(1.0, 13.0, dtype=np.float32).reshape(6, 2)
COLUMNS = {
    "gender": ["f", "m", None, "f", "m", "f"],
    "age": [float("nan"), 1, 2, 3, 4, 5],
    "n": [5, 4, 3, 2, 1, 0],
    "image": list("abcdef"),
}


def table(names, order=range(6), **changed):
    order = list(order)
    columns = {name: [(COLUMNS | changed)[name][k] for k in order] for name in names}
    return EmbeddingTable(X[order], pa.table(columns), "t")


def test_rows_in_another_order_are_joined_by_the_image():
    matched = match_rows(table(COLUMNS), table(["image", "gender"], [3, 1, 2, 0, 5, 4]))
    assert (matched.key, matched.moved) == ("image", 4)
    np.testing.assert_array_equal(matched.table.vectors, X)


def test_any_column_that_tells_rows_apart_joins_them():
    matched = match_rows(table(["n", "gender"]), table(["n"], range(5, -1, -1)))
    assert matched.key == "n"
    np.testing.assert_array_equal(matched.table.vectors, X)


def test_numbers_that_happen_to_differ_are_no_key():
    assert match_rows(table(["age"], age=[0.5, 1, 2, 3, 4, 5]), table(["gender"])).key is None


def test_every_column_of_both_must_say_the_same():
    assert match_rows(table(["gender", "age"]), table(["gender", "age"])).key is None
    with pytest.raises(InputError, match=r"t, row 3: 'gender' is 'm', but 'f' in t; give the same"):
        match_rows(table(["gender"]), table(["gender"], gender=["f", "m", None, "m", "m", "f"]))
    with pytest.raises(InputError, match=r"row 1: 'age' is 9\.0, but 1\.0"):
        match_rows(table(COLUMNS), table(COLUMNS, age=[float("nan"), 9, 2, 3, 4, 5]))


def test_rows_that_are_not_there_are_named():
    with pytest.raises(InputError, match="no row has 'image' = 'c' as row 2 of t"):
        match_rows(table(COLUMNS), table(COLUMNS, image=list("abxdef")))
    with pytest.raises(InputError, match="expected 6 rows as in t, found 5"):
        match_rows(table(COLUMNS), table(COLUMNS, range(5)))
