"""Matrices at the door: every kind of container is read, or refused in words of our own."""

import subprocess
import sys
import warnings

import ml_dtypes
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import sparse

from sensitivenets.embeddings import (
    EmbeddingTable,
    as_vectors,
    check_vectors,
    squared_norms,
    vectors_from_arrow,
    vectors_to_arrow,
)
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.errors import InputError

ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
LISTS = ROWS.tolist()
LIST32 = pa.list_(pa.float32())


def column(kind, rows=ROWS, chunks=1):
    parts = np.array_split(np.asarray(rows, dtype=kind.value_type.to_pandas_dtype()), chunks)
    return pa.chunked_array([pa.array(list(part), kind) for part in parts], kind)


def object_rows():
    found = np.empty(4, dtype=object)
    found[:] = list(ROWS)
    return found


# Whatever holds a matrix


READ = {
    "array": lambda: ROWS,
    "fortran": lambda: np.asfortranarray(ROWS),
    "half": lambda: ROWS.astype(np.float16),
    "integers": lambda: ROWS.astype(np.int64),
    "bfloat16 array": lambda: ROWS.astype(ml_dtypes.bfloat16),
    "unmasked": lambda: np.ma.masked_array(ROWS, mask=False),
    "objects": lambda: ROWS.astype(object),
    "array of arrays": object_rows,
    "lists": lambda: LISTS,
    "tensor": lambda: torch.tensor(ROWS),
    "tensor with a gradient": lambda: torch.tensor(ROWS, requires_grad=True),
    "parameter": lambda: torch.nn.Parameter(torch.tensor(ROWS)),
    "bfloat16": lambda: torch.tensor(ROWS).bfloat16(),
    "half tensor": lambda: torch.tensor(ROWS, requires_grad=True).half(),
    "list of tensors": lambda: list(torch.tensor(ROWS, requires_grad=True)),
    "data frame": lambda: pd.DataFrame(ROWS),
    "nullable frame": lambda: pd.DataFrame(ROWS).astype("Float32"),
    "series of arrays": lambda: pd.Series(list(ROWS)),
    "series of lists": lambda: pd.Series(LISTS, index=list("abcd")),
    "column of lists": lambda: pd.DataFrame({"embedding": LISTS}),
    "series of Arrow lists": lambda: pd.Series(LISTS, dtype=pd.ArrowDtype(LIST32)),
    "frame of Arrow lists": lambda: pd.DataFrame({"e": LISTS}).astype(pd.ArrowDtype(LIST32)),
    "polars frame": lambda: pl.DataFrame(ROWS),
    "polars lists": lambda: pl.Series(LISTS),
    "polars arrays": lambda: pl.Series(LISTS, dtype=pl.Array(pl.Float32, 3)),
    "polars column": lambda: pl.DataFrame({"embedding": LISTS}),
    "Arrow lists": lambda: pa.array(LISTS),
    "Arrow fixed lists": lambda: vectors_to_arrow(ROWS),
    "Arrow chunks": lambda: column(pa.list_(pa.float64()), chunks=3),
    "Arrow table": lambda: pa.table({"a": ROWS[:, 0], "b": ROWS[:, 1], "c": ROWS[:, 2]}),
    "Arrow column": lambda: pa.table({"embedding": vectors_to_arrow(ROWS)}),
    "embedding table": lambda: EmbeddingTable(ROWS, pa.table({"g": list("aabb")})),
}


@pytest.mark.parametrize("kind", READ)
def test_it_is_read(kind):
    vectors = as_vectors(READ[kind](), "X")
    assert type(vectors) is np.ndarray
    assert vectors.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(vectors, ROWS)


@pytest.mark.parametrize("kind", READ)
def test_an_eraser_reads_it_too(kind):
    gender = ["f", "m", "f", "m"]
    expected = SAL().fit(ROWS, sensitive=gender)
    found = SAL().fit(READ[kind](), sensitive=gender)
    assert found.model_.fingerprint == expected.model_.fingerprint
    np.testing.assert_allclose(
        found.transform(READ[kind]()), expected.transform(ROWS), rtol=1e-5, atol=1e-5
    )
    np.testing.assert_allclose(
        found.model_.transform(READ[kind]()), expected.transform(ROWS), rtol=1e-5, atol=1e-5
    )
    also = SAL().fit(ROWS, detector=(READ[kind](), gender))
    assert also.model_.fingerprint["detector"] == expected.model_.fingerprint["primary"]
    batch = SAL().partial_fit(READ[kind](), sensitive=gender)
    assert batch.model_.fingerprint == expected.model_.fingerprint


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.ma.masked_equal(ROWS, 5), r"X, row 1: masked value \(1 such rows of 4\); drop"),
        (
            pd.Series([[1.0, 2.0], [3.0]]),
            r"X, row 1: expected shape \(2,\) as in row 0, found",
        ),
        (pd.Series([[1.0, 2.0], None]), "X, row 1: no embedding, found None; drop these rows"),
        (pd.Series([["a"], ["b"]]), "X, row 0: expected a matrix of real numbers"),
        (
            pd.DataFrame({"who": list("abcd"), "e": LISTS}),
            "or one column of embeddings, found the column 'e' of lists among 'who', 'e'; give",
        ),
        (pa.table({"who": list("abcd"), "e": LISTS}), "the column 'e' of lists among 'who', 'e'"),
        (pl.DataFrame({"who": list("abcd"), "e": LISTS}), "the column 'e' of lists among 'who'"),
        (pl.DataFrame({"e": LISTS}).lazy(), r"found a lazy one; \.collect\(\) it"),
        (pa.array([1.0, 2.0]), "X: expected a list of float16, float32 or float64 in each row"),
        (pa.array([[1.0], None]), r"X, row 1: no embedding \(1 such rows\)"),
        (pl.Series([[1.0], [None]]), "X, row 1: null among the features"),
        (
            torch.tensor(ROWS).to_sparse(),
            "X: expected a dense tensor with values, found torch",
        ),
        (torch.tensor(ROWS).to("meta"), "X: expected a dense tensor with values, found .* on meta"),
    ],
)
@pytest.mark.parametrize("door", ["vectors", "fit"])
def test_it_is_refused_in_our_own_words(X, message, door):
    with pytest.raises(InputError, match=message):
        as_vectors(X, "X") if door == "vectors" else SAL().fit(X, sensitive=list("fmfm"))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (sparse.csr_array(ROWS), r"expected a dense matrix, found scipy\.csr_array; call its"),
        (ROWS.astype(complex), "found numpy.ndarray: values of type complex128"),
        ([["a", "b"]], "expected a matrix of real numbers, one embedding a row, found .*list"),
        ([[1.0, 2.0], [3.0]], "expected a matrix of real numbers"),
        (pd.DataFrame({"a": ["x", "y"]}), "expected a matrix of real numbers, .* pandas.DataFrame"),
        (ROWS[0], r"expected a matrix of shape \(rows, features\), found shape \(3,\)"),
        (None, "expected a matrix of real numbers|found shape"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(X, message):
    with pytest.raises(InputError, match=f"faces: .*{message}"):
        as_vectors(X, "faces")


def test_float32_and_float64_are_not_copied():
    for X in (ROWS, ROWS.astype(np.float64)):
        assert as_vectors(X, "X") is X
    tensor = torch.tensor(ROWS, requires_grad=True)
    assert np.shares_memory(as_vectors(tensor, "X"), tensor.detach().numpy())


def test_nothing_is_imported_that_the_caller_has_not():
    code = (
        "import sys, numpy as np, pyarrow as pa\n"
        "from sensitivenets.embeddings import as_vectors, encode\n"
        "as_vectors(np.ones((2, 2)), 'X'); as_vectors([[1.0, 2.0]], 'X')\n"
        "as_vectors(pa.array([[1.0]]), 'X'); encode('x', np.array(['a', 'b']))\n"
        "assert not {'torch', 'polars'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# The kind that goes in, and the kind that comes out


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_set_output_decides_the_kind(kind):
    X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    frames = {
        "pandas": pd.DataFrame(X, columns=["a", "b", "c"], index=range(100, 140)),
        "polars": pl.DataFrame(X, schema=["a", "b", "c"]),
    }
    gender = ["f", "m"] * 20
    plain = LEACE(random_state=0).fit(X, sensitive=gender).transform(X)
    eraser = LEACE(random_state=0).set_output(transform=kind).fit(frames[kind], sensitive=gender)
    assert eraser.feature_names_in_.tolist() == ["a", "b", "c"]
    out = eraser.transform(frames[kind])
    assert type(out) is type(frames[kind])
    np.testing.assert_allclose(out.to_numpy(), plain, atol=1e-6)
    if kind == "pandas":
        assert out.index.equals(frames[kind].index)
    eraser.set_output(transform="default")
    assert type(eraser.transform(frames[kind])) is np.ndarray


# The order of the rows


def shifted(n=400):
    rng = np.random.default_rng(0)
    gender = rng.integers(2, size=n)
    X = rng.standard_normal((n, 3)).astype(np.float32)
    X[:, 0] += 4 * gender
    index = [f"img{k}" for k in range(n)]
    labels = pd.Series(np.array(["f", "m"])[gender], index=index, name="gender")
    return pd.DataFrame(X, index=index), labels, rng.permutation(n)


@pytest.mark.parametrize("form", ["series", "frame", "mapping"])
@pytest.mark.parametrize("how", ["fit", "partial_fit", "detector"])
def test_labels_in_another_order_are_aligned_by_their_index(form, how):
    X, labels, order = shifted()
    forms = {
        "series": lambda s: s,
        "frame": lambda s: s.to_frame(),
        "mapping": lambda s: {"gender": s},
    }

    def fitted(sensitive):
        if how == "detector":
            return SAL().fit(X, detector=(X, forms[form](sensitive)))
        return getattr(SAL(), how)(X, sensitive=forms[form](sensitive))

    expected, found = fitted(labels), fitted(labels.iloc[order])
    np.testing.assert_array_equal(found.transform(X), expected.transform(X))
    by_position = SAL().fit(X.to_numpy(), sensitive=labels.iloc[order].to_numpy())
    assert not np.allclose(found.transform(X), by_position.transform(X.to_numpy()), atol=0.1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.reset_index(drop=True), r"no row 'img0' \(400 of 400 rows of X are not in it"),
        (lambda s: s.rename({"img3": "img4"}).iloc[::-1], "keys occur more than once"),
        (lambda s: s.rename({"img3": "other"}), r"found no row 'img3' \(1 of 400 rows"),
        (lambda s: s.iloc[:-1], "expected one label for each of 400 rows, found 399"),
    ],
)
@pytest.mark.parametrize("where", ["y", "attribute 'gender'"])
def test_an_index_that_cannot_be_matched_is_refused(change, message, where):
    X, labels, _ = shifted()
    y, gender = (change(labels), labels) if where == "y" else (labels, change(labels))
    with pytest.raises(InputError, match=f"{where}: .*{message}"):
        SAL().fit(X, y, sensitive={"gender": gender})


def test_labels_without_an_index_go_by_position():
    X, labels, _ = shifted()
    expected = SAL().fit(X, sensitive=labels).transform(X)
    for sensitive in (labels.to_numpy(), labels.tolist(), pl.Series("gender", labels.tolist())):
        np.testing.assert_array_equal(SAL().fit(X, sensitive=sensitive).transform(X), expected)
    # Equal indexes too, even where a key occurs twice.
    twice = X.rename({"img3": "img4"})
    labels = labels.rename({"img3": "img4"})
    np.testing.assert_array_equal(SAL().fit(twice, sensitive=labels).transform(X), expected)


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
        (["a"], pa.string(), "found string; name the column that holds them with --embedding"),
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


def test_nothing_warns_on_the_way_to_a_refusal():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for value in (np.nan, np.inf, 1e38):
            with pytest.raises(InputError):
                check_vectors(np.full((2, 2), value, dtype=np.float32), "t")
