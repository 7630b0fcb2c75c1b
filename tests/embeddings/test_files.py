import io
import os
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import (
    EmbeddingTable,
    array_files,
    read_table,
    vectors_to_arrow,
    write_table,
)
from sensitivenets.errors import InputError

ROWS = np.arange(1, 13, dtype=np.float32).reshape(4, 3)
GENDERS = ["Female", "Male", None, "Male"]


def refuses(path, message):
    return pytest.raises(InputError, match=f"{path.name}.*{message}")


# Parquet


def test_parquet_round_trip(table, tmp_path):
    write_table(table, tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read.vectors, table.vectors)
    assert read.vectors.dtype == np.float32
    assert read.columns.equals(table.columns)
    assert read.source == str(tmp_path / "t.parquet")
    write_table(read, tmp_path / "again.parquet")
    assert (tmp_path / "t.parquet").read_bytes() == (tmp_path / "again.parquet").read_bytes()


def test_parquet_is_written_as_a_fixed_size_list_of_float32(table, tmp_path):
    write_table(table, tmp_path / "t.parquet")
    written = pq.read_schema(tmp_path / "t.parquet").field("embedding")
    assert written.type == pa.list_(pa.field("element", pa.float32(), nullable=False), 4)
    assert not written.nullable


def test_one_row_group_is_not_copied_once_it_is_decoded(table, tmp_path):
    write_table(table, tmp_path / "t.parquet")
    vectors = read_table(tmp_path / "t.parquet").vectors
    assert not vectors.flags.owndata
    assert not vectors.flags.writeable


@pytest.mark.parametrize("value", [pa.float16(), pa.float32(), pa.float64()], ids=str)
@pytest.mark.parametrize("make", [pa.list_, pa.large_list, lambda v: pa.list_(v, 3)])
@pytest.mark.parametrize("row_group_size", [2, 100])
def test_parquet_of_other_writers(tmp_path, make, value, row_group_size):
    rows = [row.astype(value.to_pandas_dtype()) for row in ROWS]
    pq.write_table(
        pa.table({"vec": pa.array(rows, make(value)), "gender": GENDERS}),
        tmp_path / "t.parquet",
        row_group_size=row_group_size,
    )
    table = read_table(tmp_path / "t.parquet", embedding="vec")
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert table.columns["gender"].to_pylist() == GENDERS


def test_a_table_without_labels_round_trips(tmp_path):
    write_table(EmbeddingTable(ROWS, pa.table({})), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert table.columns.column_names == []


def test_the_name_of_the_embedding_column_survives(tmp_path):
    write_table(EmbeddingTable(ROWS, pa.table({}), "t", "vec"), tmp_path / "t.parquet")
    with refuses(tmp_path / "t.parquet", "no column 'embedding'; it has 'vec'; name the embedding"):
        read_table(tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", embedding="vec").embedding == "vec"


def test_float64_too_large_for_float32_is_refused_with_its_row(tmp_path):
    rows = [[1.0, 2.0], [1e300, 1.0]]
    pq.write_table(pa.table({"embedding": rows}), tmp_path / "t.parquet")
    with refuses(tmp_path / "t.parquet", "column 'embedding', row 1, feature 0: NaN, infinite or"):
        read_table(tmp_path / "t.parquet")


def test_unusable_embeddings_are_named_with_file_column_and_row(tmp_path):
    pq.write_table(pa.table({"embedding": [[1.0, 2.0], [3.0]]}), tmp_path / "t.parquet")
    with refuses(tmp_path / "t.parquet", "column 'embedding', row 1: expected 2 features"):
        read_table(tmp_path / "t.parquet")


def test_an_empty_parquet_file(tmp_path):
    pq.write_table(
        pa.table({"embedding": pa.array([], pa.list_(pa.float32()))}), tmp_path / "t.parquet"
    )
    with refuses(tmp_path / "t.parquet", "expected at least one embedding"):
        read_table(tmp_path / "t.parquet")


def test_two_columns_of_one_name(tmp_path):
    twice = pa.Table.from_arrays([vectors_to_arrow(ROWS)] * 2, names=["embedding"] * 2)
    pq.write_table(twice, tmp_path / "t.parquet")
    with refuses(tmp_path / "t.parquet", "two columns are named 'embedding'; rename one"):
        read_table(tmp_path / "t.parquet")


def test_only_parquet_is_written(table, tmp_path):
    with refuses(tmp_path / "t.csv", "tables are written as .parquet; choose a name that ends so"):
        write_table(table, tmp_path / "t.csv")


def test_a_disk_that_fills_up_leaves_the_old_table_and_nothing_else(table, tmp_path, monkeypatch):
    write_table(table, tmp_path / "t.parquet")
    before = (tmp_path / "t.parquet").read_bytes()

    def full_disk(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        write_table(table, tmp_path / "t.parquet")
    assert os.listdir(tmp_path) == ["t.parquet"]  # noqa: PTH208
    assert (tmp_path / "t.parquet").read_bytes() == before


# .npz


def test_npz(tmp_path):
    genders = np.array(["f", "m", "f", "m"])
    np.savez(
        tmp_path / "t.npz", embedding=ROWS.astype(np.float64), gender=genders, age=np.arange(4)
    )
    table = read_table(tmp_path / "t.npz")
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert table.vectors.dtype == np.float32
    assert table.labels("gender").classes == ("f", "m")
    assert table.columns["age"].to_pylist() == [0, 1, 2, 3]


def test_a_pickle_in_an_npz_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "boom"),))

    np.savez(
        tmp_path / "t.npz",
        embedding=ROWS,
        gender=np.array([Bomb()] * 4, dtype=object),
        allow_pickle=True,
    )
    with refuses(tmp_path / "t.npz", "cannot be read as .npz: .*allow_pickle=False"):
        read_table(tmp_path / "t.npz")
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"vectors": ROWS}, "no column 'embedding'; it has 'vectors'"),
        ({"embedding": ROWS, "gender": np.arange(3)}, r"'gender': expected shape \(4,\), found"),
        ({"embedding": ROWS, "gender": np.ones((4, 1))}, r"'gender': expected shape \(4,\)"),
        ({"embedding": ROWS[0]}, r"expected a float matrix .* found float32 of shape \(3,\)"),
        ({"embedding": ROWS.astype(int)}, "expected a float matrix .* found int64"),
        ({"embedding": np.where(ROWS > 5, np.inf, ROWS)}, "row 1, feature 2: NaN, infinite"),
    ],
)
def test_npz_that_is_no_table(tmp_path, arrays, message):
    np.savez(tmp_path / "t.npz", **arrays)
    with refuses(tmp_path / "t.npz", message):
        read_table(tmp_path / "t.npz")


def test_an_npz_member_that_is_no_array(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("embedding.npy", "hello")
    with refuses(tmp_path / "t.npz", "expected a float matrix"):
        read_table(tmp_path / "t.npz")


def test_an_npz_member_that_claims_more_memory_than_there_is(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 10**4)}
    )
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("embedding.npy", header.getvalue())
    with refuses(tmp_path / "t.npz", "cannot be read as .npz"):
        read_table(tmp_path / "t.npz")


# .npy beside .csv


def test_npy_with_csv(tmp_path):
    np.save(tmp_path / "t.npy", ROWS)
    (tmp_path / "t.csv").write_text("subject,gender\ns1,f\ns2,m\ns3,\ns4,m\n")
    table = read_table(tmp_path / "t.npy")
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert table.labels("gender").codes.tolist() == [0, 1, -1, 1]
    assert table.labels("subject").classes == ("s1", "s2", "s3", "s4")


def test_npy_is_mapped_not_copied(tmp_path):
    np.save(tmp_path / "t.npy", ROWS)
    table = read_table(tmp_path / "t.npy")
    assert table.columns.num_columns == 0
    np.lib.format.open_memmap(tmp_path / "t.npy", mode="r+")[0, 0] = 77
    assert table.vectors[0, 0] == 77


def test_npy_and_csv_of_different_length(tmp_path):
    np.save(tmp_path / "t.npy", ROWS)
    (tmp_path / "t.csv").write_text("subject\ns1\n")
    with refuses(tmp_path / "t.npy", "expected one label row for each of 4 embeddings, found 1"):
        read_table(tmp_path / "t.npy")


def test_a_csv_of_uneven_rows(tmp_path):
    np.save(tmp_path / "t.npy", ROWS)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3\n")
    with refuses(tmp_path / "t.csv", "cannot be read as .csv: CSV parse error"):
        read_table(tmp_path / "t.npy")


@pytest.mark.parametrize("array", [np.array([object()]), ROWS[0], ROWS.astype(np.int32)])
def test_npy_that_is_no_matrix(tmp_path, array):
    np.save(tmp_path / "t.npy", array, allow_pickle=True)
    with refuses(tmp_path / "t.npy", "expected a float matrix|cannot be read as .npy"):
        read_table(tmp_path / "t.npy")


def test_an_archive_that_unpacks_to_gigabytes_is_refused(tmp_path, monkeypatch):
    np.savez_compressed(
        tmp_path / "t.npz", embedding=np.ones((4, 2), np.float32), x=np.zeros(10**6)
    )
    monkeypatch.setattr(array_files, "_LARGE", 10**6)
    with refuses(tmp_path / "t.npz", r"\d+ bytes that unpack to \d+; write it with numpy.savez"):
        read_table(tmp_path / "t.npz")


def test_thousands_of_arrays_are_refused(tmp_path, monkeypatch):
    np.savez(tmp_path / "t.npz", embedding=np.ones((4, 2), np.float32), a=np.ones(4), b=np.ones(4))
    monkeypatch.setattr(array_files, "_MOST_MEMBERS", 2)
    with refuses(tmp_path / "t.npz", "expected 2 arrays at most, found 3"):
        read_table(tmp_path / "t.npz")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_a_table_in_another_encoding_is_refused(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes("f0,f1,who\n1,2,ann\n".encode(encoding))
    with refuses(tmp_path / "t.csv", "expected text in UTF-8, found UTF-16 or UTF-32"):
        read_table(tmp_path / "t.csv", embedding="f*")
