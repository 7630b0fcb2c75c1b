"""A flipped bit is noticed wherever it is: in a page, a column name, a note."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import EmbeddingTable, read_table, write_table
from sensitivenets.embeddings.parquet_files import read_parquet, write_parquet
from sensitivenets.embeddings.source import open_table
from sensitivenets.errors import InputError

RNG = np.random.default_rng(0)
LABELS = pa.table({
    "gender": ["f", "m"] * 20,
    "subject": [f"s{k}" for k in range(40)],
    "age": list(range(40)),
})
NOTES = {"network_sha256": "ab" * 32, "licence": "research"}


def flips(path, n, start=0, seed=0):
    """Flip random bits, one at a time, from `start` on; the file is whole again afterwards."""
    whole = path.read_bytes()
    for place in np.random.default_rng(seed).integers(8 * (start % len(whole)), 8 * len(whole), n):
        damaged = bytearray(whole)
        damaged[place // 8] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        yield place
    path.write_bytes(whole)


def footer_length(path):
    return int.from_bytes(path.read_bytes()[-8:-4], "little") + 8


@pytest.mark.parametrize("part", ["anywhere", "footer"])
def test_no_flip_changes_what_is_read_of_labels(part, tmp_path):
    path = tmp_path / "t.parquet"
    write_parquet(LABELS.replace_schema_metadata(NOTES), path)
    expected = read_parquet(path)
    start = -footer_length(path) if part == "footer" else 0
    refused = 0
    for place in flips(path, 400, start):
        try:
            found = read_parquet(path)
        except InputError:
            refused += 1
            continue
        assert found.to_pydict() == expected.to_pydict(), place
        # A note under a name that nobody looks for is of no matter; all may vanish, none is wrong.
        assert (
            not found.schema.metadata
            or found.schema.metadata.items() >= expected.schema.metadata.items()
        ), place
    assert refused > 50


def test_no_flip_in_the_footer_changes_what_is_read_of_embeddings(tmp_path):
    path = tmp_path / "t.parquet"
    vectors = RNG.standard_normal((40, 4)).astype(np.float32)
    write_table(EmbeddingTable(vectors, LABELS), path)
    for place in flips(path, 300, -footer_length(path)):
        try:
            found = read_table(path)
        except InputError:
            continue
        np.testing.assert_array_equal(found.vectors, vectors, err_msg=str(place))
        assert found.columns.to_pydict() == LABELS.to_pydict(), place


def test_a_renamed_column_is_refused_however_the_table_is_read(tmp_path):
    path = tmp_path / "t.parquet"
    vectors = RNG.standard_normal((40, 4)).astype(np.float32)
    write_table(EmbeddingTable(vectors, LABELS), path)
    whole = path.read_bytes()
    # The last is the name in the schema of Parquet, or of its column chunk; all are tried.
    places = [k for k in range(len(whole)) if whole.startswith(b"gender", k)]
    assert places
    for place in places:
        path.write_bytes(whole[:place] + b"fender" + whole[place + 6 :])
        for read in (
            read_table,
            lambda p: list(open_table(p).blocks()),
            lambda p: open_table(p).read_labels(["age"]),
        ):
            try:
                read(path)
            except InputError:
                continue
            assert pq.read_schema(path).names[1] == "gender"


def test_who_renames_columns_by_intention_is_not_refused(tmp_path):
    path = tmp_path / "t.parquet"
    write_parquet(LABELS.replace_schema_metadata(NOTES), path)
    kept = pq.read_table(path)
    assert b"sensitivenets.seal" in kept.schema.metadata
    pq.write_table(kept.rename_columns(["sex", "subject", "age"]), path)
    assert read_parquet(path).column_names == ["sex", "subject", "age"]
    pq.write_table(kept.drop_columns(["age"]), path)
    assert read_parquet(path).column_names == ["gender", "subject"]


def test_columns_of_every_kind_come_back(tmp_path):
    table = pa.table({
        "a": pa.array([1], pa.int8()),
        "b": pa.array(["x"]).dictionary_encode(),
        "c": pa.array([1], pa.timestamp("s")),
        "d": pa.array([b"x"], pa.binary(1)),
        "e": pa.array([[1.0]], pa.list_(pa.float32(), 1)),
        "f": pa.array(["x"], pa.string_view()),
        "g": pa.array([1.5], pa.float16()),
        "h": pa.array([None], pa.null()),
        "i": pa.array([True]),
        "j": pa.array([1], pa.duration("ms")),
        "k": pa.array([1], pa.uint64()),
        "l": pa.array(["x"], pa.large_string()),
    })
    write_parquet(table, tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet").column_names == table.column_names


def test_files_of_other_programs_need_no_seal(tmp_path):
    pq.write_table(LABELS, tmp_path / "t.parquet", store_schema=False)
    assert read_parquet(tmp_path / "t.parquet").column_names == LABELS.column_names


@pytest.mark.parametrize("seal", [b"", b"[]", b'{"columns": 5, "notes": 3}', b'{"columns": "x"}'])
def test_a_seal_that_makes_no_sense_is_damage(seal, tmp_path):
    table = LABELS.replace_schema_metadata({"sensitivenets.seal": seal})
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match=r"t\.parquet: damaged: its column names or its notes"):
        read_parquet(tmp_path / "t.parquet")


def test_two_columns_of_one_name_are_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "t.parquet")
    with pytest.raises(InputError, match="two columns are named 'a'; rename one"):
        read_parquet(tmp_path / "t.parquet")
