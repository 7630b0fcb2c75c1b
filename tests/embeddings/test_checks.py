import re
import warnings
from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, encode, rows, write_table
from sensitivenets.embeddings import checks as data_checks
from sensitivenets.embeddings.checks import find_contradictions, find_duplicates, warn_about
from sensitivenets.embeddings.source import open_table
from sensitivenets.embeddings.source_rows import SourceRows
from sensitivenets.engines import InProcess
from sensitivenets.errors import DataWarning, InputError


def naive_duplicates(vectors):
    seen, pairs = {}, []
    for k, row in enumerate(map(tuple, vectors.tolist())):
        if row in seen:
            pairs.append((seen[row], k))
        seen[row] = k
    return pairs


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("dim", [1, 2, 5])
def test_duplicates_are_those_of_a_loop(monkeypatch, dtype, dim):
    monkeypatch.setattr(rows, "_HASHED_ROWS", 7)
    vectors = np.random.default_rng(0).integers(2, size=(50, dim)).astype(dtype)
    pairs = naive_duplicates(vectors)
    found = find_duplicates(vectors)
    assert found.n_duplicates == len(pairs) > 0
    assert found.examples == tuple(pairs[:3])


def test_rows_that_differ_in_the_last_bit_or_the_order_are_not_duplicates():
    row = np.array([1.0, 2.0, 3.0], dtype=np.float32)
    nearly = np.nextafter(row, np.float32(9))
    found = find_duplicates(np.stack([row, nearly, row[::-1]]))
    assert found == data_checks.Duplicates(3, 0, ())


def test_minus_zero_equals_zero():
    assert find_duplicates(np.array([[0.0, 1.0], [-0.0, 1.0]])).n_duplicates == 1


def test_a_hash_collision_is_not_a_duplicate(monkeypatch):
    monkeypatch.setattr(rows, "row_hashes", lambda X: np.zeros(len(X), np.uint64))
    assert find_duplicates(np.array([[1.0], [2.0], [2.0]])).examples == ((1, 2),)


def test_rows_of_a_view_that_is_not_contiguous():
    vectors = np.arange(12.0).reshape(6, 2)[::2]
    assert find_duplicates(vectors).n_duplicates == 0


def naive_contradictions(identity, attribute):
    rows = defaultdict(lambda: defaultdict(int))
    for who, value in zip(identity, attribute, strict=True):
        if who is not None and value is not None:
            rows[who][value] += 1
    return len(rows), {who: dict(v) for who, v in rows.items() if len(v) > 1}


def test_contradictions_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    identity = [f"s{k:02d}" for k in rng.integers(20, size=60)]
    attribute = rng.choice(["a", "b", "c", None], size=60, p=[0.7, 0.1, 0.1, 0.1]).tolist()
    identity[3] = None
    found = find_contradictions(encode("who", identity), encode("what", attribute))
    n, contradicting = naive_contradictions(identity, attribute)
    assert (found.n_identities, found.n_contradicting) == (n, len(contradicting))
    assert found.n_contradicting > 3
    assert dict(found.examples) == {w: contradicting[w] for w in sorted(contradicting)[:3]}


def test_an_attribute_without_any_label_contradicts_nothing():
    found = find_contradictions(encode("who", ["a", "a"]), encode("what", [None, None]))
    assert found == data_checks.Contradictions(0, 0, ())


@pytest.fixture
def contradicting():
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 2, 1]]
    columns = pa.table({"who": ["ann", "ann", "ann", "bo"], "gender": ["f", "m", "f", "m"]})
    return EmbeddingTable(vectors, columns, "faces.parquet")


def test_the_warnings_count_and_give_examples(contradicting):
    with pytest.warns(DataWarning) as caught:
        warn_about(contradicting, identity="who", attributes=["gender"])
    assert [str(w.message) for w in caught] == [
        "faces.parquet: 1 of 4 rows repeat an earlier embedding exactly, such as rows 1 and 3; "
        "results count them as independent",
        "faces.parquet: 1 of 2 values of 'who' have rows that contradict each other on 'gender': "
        "'ann' is 'f' in 2 rows and 'm' in 1 row; each row is used with its own label",
    ]
    assert {w.filename for w in caught} == {__file__}


@pytest.mark.parametrize(("most", "looked_at"), [(400, 400), (399, 200), (100, 100)])
def test_of_a_long_table_some_hashes_are_looked_at(tmp_path, monkeypatch, most, looked_at):
    """Rows that repeat each other have one hash: half of the hashes find half of them."""
    monkeypatch.setattr(data_checks, "_MOST_HASHES", most)
    rng = np.random.default_rng(0)
    # On a grid, as transform writes: the low bits of such numbers are zero.
    once = (rng.integers(1, 2**10, size=(200, 8)) / 2**10).astype(np.float32)
    both = EmbeddingTable(np.concatenate([once, once]), pa.table({}), "")
    write_table(both, tmp_path / "long.parquet")
    source = open_table(tmp_path / "long.parquet")
    with pytest.warns(DataWarning) as caught:
        data_checks.warn_about_rows(SourceRows(source, InProcess(1)))
    pattern = r"(\d+) of (\d+) rows(.*) repeat .* rows (\d+) and (\d+)"
    n_twice, n_rows, behind, first, again = re.search(pattern, str(caught[0].message)).groups()
    assert int(n_twice) == int(n_rows) / 2
    assert int(n_rows) == pytest.approx(looked_at, rel=0.2)
    assert behind == ("" if most == 400 else " that were looked at, of 400,")
    assert int(again) == int(first) + 200


def test_rows_that_outweigh_all_others_are_counted(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((300, 8)).astype(np.float32)
    length = np.linalg.norm(vectors, axis=1)
    vectors[[40, 200]] *= 1e6
    vectors[5] *= 90 * np.median(length) / length[5]  # long, and nobody's concern
    broken = EmbeddingTable(vectors, pa.table({}), "photos")
    write_table(broken, tmp_path / "photos.parquet")
    source = open_table(tmp_path / "photos.parquet")
    times = 1e6 * length[[40, 200]] / np.median(length)
    longest = [40, 200][times.argmax()]
    for warn in (
        lambda: warn_about(broken),
        lambda: data_checks.warn_about_rows(SourceRows(source, InProcess(1))),
    ):
        with pytest.warns(DataWarning) as caught:
            warn()
        assert f"2 of 300 rows are over 100 times as long as most (row {longest}: " in str(
            caught[0].message
        )


def test_a_clean_table_gives_no_warning(table):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_about(table)
        warn_about(table, identity="subject")
        warn_about(table, identity="gender", attributes=["gender"])


def test_an_unknown_column_is_named(table):
    with pytest.raises(InputError, match=r"small\.parquet: no column 'sex'"):
        warn_about(table, identity="subject", attributes=["sex"])
