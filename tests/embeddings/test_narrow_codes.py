"""A long table holds a few bytes a row of its labels: what is made of them must not overflow."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import encode, vectors_to_arrow
from sensitivenets.embeddings.checks import find_contradictions
from sensitivenets.embeddings.drawn_rows import draw_rows
from sensitivenets.embeddings.label_doubts import without_blanks
from sensitivenets.embeddings.labels import Labels, code_type, counted, joint
from sensitivenets.embeddings.source import open_table
from sensitivenets.errors import InputError

N = 3000
RNG = np.random.default_rng(0)


def narrow(labels):
    """Return the same labels as a table that is read and not held has them."""
    codes = labels.codes.astype(code_type(len(labels.classes)))
    return Labels(labels.name, codes, labels.classes)


def drawn_labels(name, n_classes, *, missing=0.1):
    values = RNG.integers(n_classes, size=N).astype(object)
    values[RNG.random(N) < missing] = None
    return encode(name, [None if v is None else f"{v:05d}" for v in values])


@pytest.mark.parametrize(
    ("n_classes", "kind"),
    [(0, "int8"), (1, "int8"), (128, "int8"), (129, "int16"), (2**15 + 1, "int32")],
)
def test_the_last_code_and_minus_one_fit(n_classes, kind):
    assert code_type(n_classes) == kind
    assert np.iinfo(kind).max >= n_classes - 1


@pytest.fixture
def table(tmp_path):
    """Three files: one without a label, and two with values that the other lacks."""
    values = {
        "text": ["b", None, "a", "c", "", "b"],
        "large": pa.array(["b", None, "a", "c", "", "b"], pa.large_string()),
        "whole": [7, None, -3, 10**12, 7, 0],
        "share": [0.5, None, 0.25, 0.5, float("nan"), 1.0],
        "flag": [True, None, False, True, True, False],
    }
    rows = pa.table({"embedding": vectors_to_arrow(np.ones((6, 3), np.float32))} | values)
    for k, (start, n) in enumerate([(0, 1), (1, 1), (2, 4)]):
        pq.write_table(rows.slice(start, n), tmp_path / f"{k}.parquet")
    return open_table(tmp_path)


@pytest.mark.parametrize("at_a_time", [1, 1 << 21])
@pytest.mark.parametrize("column", ["text", "large", "whole", "share", "flag"])
def test_codes_that_are_read_are_those_of_the_column(table, column, at_a_time, monkeypatch):
    monkeypatch.setattr("sensitivenets.embeddings.source._CODED_ROWS", at_a_time)
    read, held = table.read_codes(column), encode(column, table.read().column(column))
    assert read.codes.dtype == np.int8
    np.testing.assert_array_equal(read.codes, held.codes)
    assert read.classes == held.classes
    if column == "text":
        assert (read.codes.tolist(), read.classes) == ([2, -1, 1, 3, 0, 2], ("", "a", "b", "c"))


def test_a_column_that_is_not_there_is_named(table):
    with pytest.raises(InputError, match="no column 'where'"):
        table.read_codes("where")


def test_more_classes_than_a_byte_has_are_crossed():
    parts = {"one": drawn_labels("one", 20), "two": drawn_labels("two", 90)}
    wide, crossed = joint(parts), joint({k: narrow(v) for k, v in parts.items()})
    assert len(crossed.classes) > 1000
    assert crossed.codes.dtype == np.int16
    np.testing.assert_array_equal(crossed.codes, wide.codes)
    assert crossed.classes == wide.classes
    assert wide.codes.dtype == np.int64
    for row in np.flatnonzero(crossed.labelled)[:50]:
        names = [part.classes[part.codes[row]] for part in parts.values()]
        assert crossed.classes[crossed.codes[row]] == " x ".join(names)


def test_what_cannot_be_numbered_is_refused():
    many = Labels("who", np.zeros(2, dtype=np.int64), ("x",) * 100_000)
    with pytest.raises(InputError, match="expected fewer classes to cross, found 100000 of 'who'"):
        joint({str(k): many for k in range(4)})


def test_contradictions_are_those_of_wide_codes():
    who, group = drawn_labels("who", 100), drawn_labels("group", 5)
    assert find_contradictions(narrow(who), narrow(group)) == find_contradictions(who, group)


def test_blanks_are_taken_out_of_narrow_codes():
    who = encode("who", ["", "a", None, " ", "b"])
    found = without_blanks(narrow(who))
    np.testing.assert_array_equal(found.codes, [-1, 0, -1, -1, 1])
    assert found.codes.dtype == np.int8


def test_counts_do_not_depend_on_how_much_is_widened_at_a_time(monkeypatch):
    labels = narrow(drawn_labels("group", 9))
    expected = np.bincount(labels.codes[labels.labelled], minlength=9)
    monkeypatch.setattr("sensitivenets.embeddings.labels._WIDENED", 100)
    np.testing.assert_array_equal(counted(labels.codes, 9), expected)


@pytest.mark.parametrize("named", [True, False])
def test_the_same_rows_are_drawn(named):
    who, group = drawn_labels("who", 700), drawn_labels("group", 3)
    wide = draw_rows(N, who.codes if named else None, [group], most=500, seed=1)
    codes = narrow(who).codes if named else None
    found = draw_rows(N, codes, [narrow(group)], most=500, seed=1)
    np.testing.assert_array_equal(found.rows, wide.rows)
    assert found.sentence() == wide.sentence()
