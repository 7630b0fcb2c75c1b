import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensitivenets.embeddings import Labels, encode
from sensitivenets.embeddings.labels import encode_attributes, joint
from sensitivenets.errors import InputError


def assert_labels(labels, codes, classes):
    assert labels.codes.tolist() == codes
    assert labels.codes.dtype == np.int64
    assert labels.classes == classes


@pytest.mark.parametrize(
    "values",
    [
        ["m", None, "f", "m"],
        ("m", None, "f", "m"),
        np.array(["m", None, "f", "m"], dtype=object),
        pa.array(["m", None, "f", "m"]),
        pa.array(["m", None, "f", "m"]).dictionary_encode(),
        pa.array(["m", None, "f", "m"], pa.large_string()),
        pa.chunked_array([["m", None], ["f"], [], ["m"]]),
        pd.Series(["m", None, "f", "m"]),
        pd.Series(["m", None, "f", "m"], dtype="category"),
        ["m", float("nan"), "f", "m"],
    ],
    ids=lambda values: type(values).__name__,
)
def test_text_of_any_container(values):
    assert_labels(encode("gender", values), [1, -1, 0, 1], ("f", "m"))


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
