"""Tables in object storage: a server that speaks S3, and pyarrow alone."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import read_table, vectors_to_arrow
from sensitivenets.embeddings.source import open_table
from sensitivenets.errors import InputError

ROWS = np.arange(1, 61, dtype=np.float32).reshape(20, 3)


@pytest.fixture(scope="module")
def faces(bucket):
    url, files = bucket
    for split, rows in (("fit", slice(0, 13)), ("test", slice(13, 20))):
        table = pa.table({
            "embedding": vectors_to_arrow(ROWS[rows]),
            "id": [f"{k:03d}" for k in range(20)][rows],
        })
        files.create_dir(f"lake/faces/split={split}")
        pq.write_table(table, f"lake/faces/split={split}/0.parquet", filesystem=files)
    for name in ("a.npy", "a.csv"):
        with files.open_output_stream(f"lake/{name}") as file:
            np.save(file, ROWS) if name == "a.npy" else file.write(b"id\n" + b"007\n" * 20)
    return url


@pytest.mark.parametrize("key", ["faces", "faces/*/0.parquet", "faces/**"])
def test_a_folder_in_a_bucket_is_a_table(faces, key):
    table = read_table(faces(key))
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert table.columns["split"].to_pylist() == ["fit"] * 13 + ["test"] * 7
    assert table.columns["id"].to_pylist()[-1] == "019"
    assert table.source == f"s3://lake/{key}"


def test_one_object_in_blocks(faces):
    source = open_table(faces("faces/split=fit/0.parquet"), conditions=[("id", "004")])
    (block,) = source.blocks(block_rows=3)
    np.testing.assert_array_equal(block.vectors, ROWS[[4]])


def test_an_array_in_a_bucket_has_its_labels_beside_it(faces):
    table = read_table(faces("a.npy"))
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert set(table.columns["id"].to_pylist()) == {"007"}


def test_what_is_not_there_or_cannot_be_reached_is_named_without_its_options(faces):
    with pytest.raises(InputError, match=r"^s3://lake/nothing: no such file or folder$"):
        read_table(faces("nothing"))
    with pytest.raises(InputError, match=r"^s3://other/x: no such file|^s3://other/x: cannot be"):
        read_table(faces("x").replace("lake", "other"))
