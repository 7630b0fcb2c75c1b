import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sensitivenets.embeddings import Labels, encode
from sensitivenets.embeddings.labels import encode_attributes, joint
from sensitivenets.errors import InputError


def assert_labels(labels, codes, classes):
    assert labels.codes.tolist() == codes
    assert labels.codes.dtype == np.int64
    assert labels.classes == classes


NAN, NA, NAT = float("nan"), pd.NA, pd.NaT
GAP = np.array([False, True, False, False])

# Each form of ["m", nothing, "f", "m"].
TEXT = {
    "list": ["m", None, "f", "m"],
    "tuple": ("m", None, "f", "m"),
    **{f"list with {gap!r}": ["m", gap, "f", "m"] for gap in (NAN, NA, NAT)},
    "list with numpy's NaN": ["m", np.float32("nan"), "f", "m"],
    "list with numpy's NaT": ["m", np.datetime64("NaT"), "f", "m"],
    "list with masked": ["m", np.ma.masked, "f", "m"],
    "objects": np.array(["m", None, "f", "m"], dtype=object),
    **{f"objects with {gap!r}": np.array(["m", gap, "f", "m"], object) for gap in (NAN, NA, NAT)},
    "masked text": np.ma.masked_array(["m", "f", "f", "m"], mask=GAP),
    "masked objects": np.ma.masked_array(np.array(["m", "x", "f", "m"], object), mask=GAP),
    "Arrow": pa.array(["m", None, "f", "m"]),
    "Arrow dictionary": pa.array(["m", None, "f", "m"]).dictionary_encode(),
    "null in the dictionary": pa.DictionaryArray.from_arrays([0, 1, 2, 0], ["m", None, "f"]),
    "large text": pa.array(["m", None, "f", "m"], pa.large_string()),
    "text views": pa.array(["m", None, "f", "m"], pa.string_view()),
    "chunks": pa.chunked_array([["m", None], ["f"], [], ["m"]]),
    "chunks of dictionaries": pa.chunked_array([["m", None], ["f", "m"]]).dictionary_encode(),
    "pandas": pd.Series(["m", None, "f", "m"]),
    "pandas objects": pd.Series(["m", NAN, "f", "m"], dtype=object),
    "pandas nullable": pd.Series(["m", NA, "f", "m"], dtype="string"),
    "pandas on Arrow": pd.Series(["m", None, "f", "m"], dtype="string[pyarrow]"),
    "pandas categories": pd.Series(["m", None, "f", "m"], dtype="category"),
    "pandas categorical": pd.Categorical(["m", None, "f", "m"]),
    "polars": pl.Series(["m", None, "f", "m"]),
    "polars categories": pl.Series(["m", None, "f", "m"], dtype=pl.Categorical),
    "polars enum": pl.Series(["m", None, "f", "m"], dtype=pl.Enum(["m", "f"])),
}

# Each form of [1, nothing, 0, 1].
NUMBERS = {
    "list": [1, None, 0, 1],
    **{f"list with {gap!r}": [1, gap, 0, 1] for gap in (NAN, NA, NAT)},
    "list of floats": [1.0, NAN, 0.0, 1.0],
    "list of booleans": [True, None, False, True],
    "list with masked": [1, np.ma.masked, 0, 1],
    "floats": np.array([1, NAN, 0, 1]),
    "float32": np.array([1, NAN, 0, 1], dtype=np.float32),
    "float16": np.array([1, NAN, 0, 1], dtype=np.float16),
    "objects": np.array([1, None, 0, 1], dtype=object),
    "masked integers": np.ma.masked_array([1, 7, 0, 1], mask=GAP),
    "masked floats": np.ma.masked_array([1.0, 7.0, 0.0, 1.0], mask=GAP),
    "masked booleans": np.ma.masked_array([True, True, False, True], mask=GAP),
    "dates": np.array(["2021-01-01", "NaT", "2020-01-01", "2021-01-01"], dtype="datetime64[D]"),
    "pandas integers": pd.Series([1, None, 0, 1], dtype="Int64"),
    "pandas floats": pd.Series([1, None, 0, 1]),
    "pandas booleans": pd.Series([True, None, False, True], dtype="boolean"),
    "pandas categories": pd.Series([1, None, 0, 1], dtype="category"),
    "pandas dates": pd.Series(pd.to_datetime(["2021-01-01", None, "2020-01-01", "2021-01-01"])),
    "polars": pl.Series([1, None, 0, 1]),
    "polars NaN": pl.Series([1.0, NAN, 0.0, 1.0]),
    "polars booleans": pl.Series([True, None, False, True]),
    "Arrow": pa.array([1, None, 0, 1], pa.int8()),
    "Arrow NaN": pa.array([1.0, NAN, 0.0, 1.0]),
    "Arrow dictionary of NaN": pa.array([1.0, NAN, 0.0, 1.0]).dictionary_encode(),
    "tensor": torch.tensor([1, NAN, 0, 1], requires_grad=True),
    "bfloat16": torch.tensor([1, NAN, 0, 1], dtype=torch.bfloat16),
}


@pytest.mark.parametrize("form", TEXT)
def test_what_is_missing_is_unlabelled_in_every_form_of_text(form):
    assert_labels(encode("gender", TEXT[form]), [1, -1, 0, 1], ("f", "m"))


@pytest.mark.parametrize("form", NUMBERS)
def test_what_is_missing_is_unlabelled_in_every_form_of_numbers(form):
    found = encode("gender", NUMBERS[form])
    assert found.codes.tolist() == [1, -1, 0, 1]
    assert len(found.classes) == 2


@pytest.mark.parametrize("forms", [TEXT, NUMBERS], ids=["text", "numbers"])
def test_alone_and_by_name_it_is_the_same(forms):
    for form, values in forms.items():
        (alone,) = encode_attributes(values, 4).values()
        (named,) = encode_attributes({"x": values}, 4).values()
        assert alone.codes.tolist() == named.codes.tolist() == [1, -1, 0, 1], form


# Each form of the rows ("m", 1), (nothing, 0), ("f", nothing), ("m", 1).
ROWS = [["m", 1], [None, 0], ["f", None], ["m", 1]]
TABLES = {
    "lists": ROWS,
    "tuples": tuple(map(tuple, ROWS)),
    "lists with NaN": [["m", 1.0], [NAN, 0.0], ["f", NAN], ["m", 1.0]],
    "lists with NA": [["m", 1], [NA, 0], ["f", NA], ["m", 1]],
    "objects": np.array(ROWS, dtype=object),
    "masked": np.ma.masked_array(
        [[1, 1], [9, 0], [0, 9], [1, 1]], mask=[[0, 0], [1, 0], [0, 1], [0, 0]]
    ),
    "floats": np.array([[1, 1], [NAN, 0], [0, NAN], [1, 1]]),
    "list of arrays": list(np.array([[1, 1], [NAN, 0], [0, NAN], [1, 1]])),
    "mapping": {"a": ["m", None, "f", "m"], "b": [1, 0, None, 1]},
    "pandas": pd.DataFrame(ROWS),
    "polars": pl.DataFrame({"a": ["m", None, "f", "m"], "b": [1, 0, None, 1]}),
    "Arrow": pa.table({"a": ["m", None, "f", "m"], "b": [1, 0, None, 1]}),
    "tensor": torch.tensor([[1, 1], [NAN, 0], [0, NAN], [1, 1]]),
}


@pytest.mark.parametrize("form", TABLES)
def test_what_is_missing_is_unlabelled_in_every_form_of_a_table(form):
    first, second = encode_attributes(TABLES[form], 4).values()
    assert first.codes.tolist() == [1, -1, 0, 1]
    assert second.codes.tolist() == [1, 0, -1, 1]


def test_text_that_says_nan_is_text():
    assert_labels(encode("x", ["nan", "", "NA", NAN]), [2, 0, 1, -1], ("", "NA", "nan"))


def test_what_is_printed_is_one_line():
    labels = encode("who", [f"s{k:03d}" for k in range(500)] + [None])
    assert repr(labels) == (
        "Labels('who', 501 rows, 500 labelled, 500 classes: 's000', 's001', 's002', 's003', "
        "'s004', 's005' and 494 more)"
    )


@pytest.mark.parametrize(
    ("values", "codes", "classes"),
    [
        ([10, 9, None, 10], [1, 0, -1, 1], ("9", "10")),
        (np.array([True, False]), [1, 0], ("False", "True")),
        (np.array([1.5, np.nan, 0.5]), [1, -1, 0], ("0.5", "1.5")),
        (pd.Series([1, None, 2], dtype="Int64"), [0, -1, 1], ("1", "2")),
        (["", "a"], [0, 1], ("", "a")),
        ([], [], ()),
        ([None, None], [-1, -1], ()),
        (pa.chunked_array([], pa.string()), [], ()),
    ],
)
def test_other_types(values, codes, classes):
    assert_labels(encode("x", values), codes, classes)


@settings(max_examples=50)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=30))
def test_decoding_gives_the_values_back(values):
    labels = encode("x", pa.array(values, pa.string()))
    assert [labels.classes[c] if c >= 0 else None for c in labels.codes] == values
    assert list(labels.classes) == sorted(set(values) - {None}, key=lambda v: v.encode())


@pytest.mark.parametrize("values", [[[1], [2]], np.zeros((2, 2)), [1, "a"], 5])
def test_what_is_no_flat_column_is_refused(values):
    with pytest.raises(InputError, match="column 'x': expected one flat column of text, numbers"):
        encode("x", values)


def test_counts_and_masks():
    labels = encode("x", ["a", "b", None, "b"])
    assert labels.counts() == {"a": 1, "b": 2}
    assert labels.labelled.tolist() == [True, True, False, True]
    assert len(labels) == 4
    kept = labels.take(np.array([0, 2]))
    assert_labels(kept, [0, -1], ("a", "b"))
    assert kept.counts() == {"a": 1, "b": 0}


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["a", "a", None], r"found only 'a' \(2 rows\); give rows of another class or leave 'x'"),
        ([None, None], "found only no labelled row among 2"),
    ],
)
def test_one_class_only_is_refused(values, found):
    with pytest.raises(InputError, match=f"column 'x': expected at least two classes, {found}"):
        encode("x", values).require_two_classes()


def test_a_class_without_rows_does_not_count():
    labels = Labels("x", np.array([0, 0]), ("a", "b"))
    with pytest.raises(InputError, match=r"found only 'a' \(2 rows\)"):
        labels.require_two_classes()


@pytest.mark.parametrize(
    ("sensitive", "names"),
    [
        ({"a": ["x", "y"], "b": [1, 2]}, ["a", "b"]),
        (pd.DataFrame({"a": ["x", "y"], "b": [1, 2]}), ["a", "b"]),
        (pa.table({"a": ["x", "y"]}), ["a"]),
        (np.array([0, 1]), ["sensitive"]),
        (["x", "y"], ["sensitive"]),
        (pl.DataFrame({"a": ["x", "y"]}), ["a"]),
        (pl.Series("gender", ["x", "y"]), ["gender"]),
        ([["x", 1], ["y", 2]], ["sensitive_0", "sensitive_1"]),
        (pd.Series(["x", "y"], name="gender"), ["gender"]),
        (np.array([[0, 1], [1, 0]]), ["sensitive_0", "sensitive_1"]),
    ],
)
def test_sensitive_attributes_in_every_form(sensitive, names):
    assert list(encode_attributes(sensitive, 2)) == names


@pytest.mark.parametrize(
    ("sensitive", "message"),
    [
        ({}, "expected at least one sensitive attribute, found none"),
        ({"a": ["x", "y", "x"]}, "attribute 'a': expected one label for each of 2 rows, found 3"),
        ({"a": ["x", "x"]}, "column 'a': expected at least two classes"),
        ([["x", 1], ["y"]], "sensitive: expected as many attributes in each row"),
    ],
)
def test_unusable_attributes(sensitive, message):
    with pytest.raises(InputError, match=message):
        encode_attributes(sensitive, 2)


def test_joint_of_two_attributes():
    gender = encode("gender", ["f", "m", "f", None, "m", "m"])
    group = encode("group", ["1", "1", "2", "1", None, "1"])
    crossed = joint({"gender": gender, "group": group})
    assert crossed.name == "gender x group"
    assert_labels(crossed, [0, 2, 1, -1, -1, 2], ("f x 1", "f x 2", "m x 1"))


def test_joint_of_one_attribute_is_that_attribute():
    gender = encode("gender", ["f", None, "m"])
    assert_labels(joint({"gender": gender}, "g"), [0, -1, 1], ("f", "m"))
