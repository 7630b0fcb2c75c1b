"""Labels that are not what they look like."""

import pytest

from sensitivenets.embeddings import EmbeddingTable, encode
from sensitivenets.embeddings.label_doubts import (
    classes_of_nothing,
    require_distinct_classes,
    without_blanks,
)
from sensitivenets.errors import InputError, some_of


def test_a_blank_identity_is_nobody():
    who = without_blanks(encode("who", ["a", "", "b", " ", "a", None, ""]))
    assert who.classes == ("a", "b")
    assert who.codes.tolist() == [0, -1, 1, -1, 0, -1, -1]
    known = encode("who", ["a", "b"])
    assert without_blanks(known) is known


def test_a_table_reads_blank_identities_as_nobody():
    import numpy as np
    import pyarrow as pa

    table = EmbeddingTable(np.eye(3, dtype=np.float32), pa.table({"who": ["", "a", ""]}))
    assert table.identities("who").codes.tolist() == [-1, 0, -1]


@pytest.mark.parametrize("twice", [("Male", "male "), ("a b", "A  B"), ("x", " x")])
def test_classes_that_differ_by_case_or_blanks_are_refused_with_counts(twice):
    labels = encode("gender", [twice[0]] * 3 + [twice[1]] * 2 + ["Female"])
    with pytest.raises(InputError, match="differ by more than case and blanks") as refused:
        require_distinct_classes(labels)
    for name, count in zip(twice, (3, 2), strict=True):
        assert f"{name!r} ({count} rows)" in str(refused.value)
    require_distinct_classes(encode("gender", ["Male", "Female", "Mal"]))


@pytest.mark.parametrize("nothing", ["nan", "NA", "None", "unknown", "", " ", "N/A", "NULL"])
def test_classes_named_as_missing_values_are_warned_of_with_counts(nothing):
    found = classes_of_nothing(encode("gender", ["f", "m", nothing, nothing]))
    assert found.startswith(f"gender: {nothing!r} (2 rows) counts as a class of its own")
    assert classes_of_nothing(encode("gender", ["f", "m", None, "nancy"])) == ""


def test_hundreds_of_names_are_cut_with_a_count():
    text = some_of(f"s{k}" for k in range(300))
    assert text.endswith("'s7' and 292 more")
    assert some_of([]) == "none"
    assert some_of(["a", "b"], quoted=False) == "a, b"
