import numpy as np
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import read_table, write_table
from sensitivenets.errors import InputError


def refuses(path, message):
    return pytest.raises(InputError, match=f"{path.name}.*{message}")


def test_a_missing_file(tmp_path):
    with refuses(tmp_path / "t.parquet", "no such file"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("t", "convert it to one of them"),
        ("t.pkl", "a pickle runs code when it is opened: write the table as .parquet"),
        ("t.pt", "load it with torch and save the tensor with safetensors.torch.save_file"),
        ("t.xlsx", "save it as .csv"),
    ],
)
def test_other_kinds_of_file(tmp_path, name, remedy):
    (tmp_path / name).write_text("x")
    with pytest.raises(InputError, match=rf"expected one of \.parquet, \.pq, .*, found .*{remedy}"):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    "suffix", [".parquet", ".npz", ".npy", ".safetensors", ".jsonl", ".feather"]
)
@pytest.mark.parametrize("content", [b"", b"hello, world\n" * 20, b"PAR1PAR1", b"PK\x03\x04"])
def test_files_that_are_something_else(tmp_path, suffix, content):
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    with refuses(path, f"cannot be read as {suffix}"):
        read_table(path)


def saved(table, path):
    genders = np.array(table.columns["subject"].to_pylist())
    if path.suffix == ".parquet":
        write_table(table, path)
    elif path.suffix == ".npz":
        np.savez_compressed(path, embedding=table.vectors, gender=genders)
    else:
        np.save(path, table.vectors)
    return path.read_bytes()


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".npy"])
def test_truncated_files(table, tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    whole = saved(table, path)
    for keep in range(0, len(whole), 37):
        path.write_bytes(whole[:keep])
        with refuses(path, f"cannot be read as {suffix}"):
            read_table(path)


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".npy"])
def test_damaged_files_are_read_or_refused_but_never_crash(table, tmp_path, suffix):
    rng = np.random.default_rng(0)
    path = tmp_path / f"t{suffix}"
    whole = saved(table, path)
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        # Headers and footers are where damage confuses a reader most.
        at = rng.integers(len(damaged)) if rng.random() < 0.5 else -rng.integers(1, 300)
        damaged[at if suffix != ".npy" else abs(at) % 128] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_table(path)
        except InputError:
            refused += 1
    assert refused > 50


def test_a_flipped_bit_in_the_data_of_a_parquet_file_is_found(table, tmp_path):
    write_table(table, tmp_path / "t.parquet")
    whole = bytearray((tmp_path / "t.parquet").read_bytes())
    column = pq.read_metadata(tmp_path / "t.parquet").row_group(0).column(0)
    whole[column.data_page_offset + column.total_compressed_size // 2 + 40] ^= 1
    (tmp_path / "t.parquet").write_bytes(whole)
    with refuses(tmp_path / "t.parquet", "cannot be read as .parquet"):
        read_table(tmp_path / "t.parquet")
