import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import EmbeddingTable, vectors_to_arrow, write_table
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.embeddings.parquet_blocks import parquet_blocks
from sensitivenets.erasers.fit_parquet import fit_parquet
from sensitivenets.erasers.linear.inlp import INLP
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.linear.sal import SAL
from sensitivenets.erasers.linear.splince import SPLINCE
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def large():
    """Rows whose gender, with a null now and then, shifts them; sorted by gender."""
    rng = np.random.default_rng(0)
    gender = np.sort(rng.integers(2, size=5000))
    X = rng.standard_normal((5000, 8)).astype(np.float32)
    X[:, 2] += 3 * gender
    X[:, 5] += 2 * (task := rng.integers(3, size=5000))
    text = [None if k % 10 == 0 else "fm"[code] for k, code in enumerate(gender)]
    return EmbeddingTable(X, pa.table({"gender": text, "task": task, "unused": gender}))


@pytest.fixture(scope="module")
def path(large, tmp_path_factory):
    path = tmp_path_factory.mktemp("blocks") / "large.parquet"
    write_table(large, path)
    return path


@pytest.mark.parametrize("block_rows", [1000, 1024, 100_000])
def test_blocks_are_the_table(large, path, block_rows):
    blocks = list(parquet_blocks(path, ["gender"], block_rows=block_rows))
    assert [len(block) for block in blocks[:-1]] == [block_rows] * (len(blocks) - 1)
    assert [block.start for block in blocks] == list(range(0, 5000, block_rows))
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), large.vectors)
    columns = pa.concat_tables([block.columns for block in blocks])
    assert columns.column_names == ["gender"]
    assert columns["gender"].to_pylist() == large.columns["gender"].to_pylist()


def test_float32_is_not_copied_from_arrow(path):
    block = next(parquet_blocks(path))
    assert not block.vectors.flags.owndata
    assert not block.vectors.flags.writeable


def test_memory_does_not_grow_with_the_rows(tmp_path):
    sizes = []
    for rows in (20_000, 80_000):
        X = np.ones((rows, 32), dtype=np.float32)
        pq.write_table(pa.table({"embedding": vectors_to_arrow(X)}), tmp_path / "wide.parquet")
        del X
        before = pa.total_allocated_bytes()
        tracemalloc.start()
        most = 0
        for block in parquet_blocks(tmp_path / "wide.parquet", block_rows=1000):
            most = max(most, pa.total_allocated_bytes() - before, len(block))
        sizes.append(most + tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert sizes[1] < 80_000 * 32 * 4 / 4
    assert sizes[1] < 1.5 * sizes[0]


@pytest.mark.parametrize("kind", ["list16", "list64", "large"])
def test_other_lists_of_floats_are_converted(tmp_path, kind):
    types = {
        "list16": pa.list_(pa.float16()),
        "list64": pa.list_(pa.float64()),
        "large": pa.large_list(pa.float32()),
    }
    rows = [[1.5, 2.0], [0.25, -3.0], [4.0, 5.0]]
    table = pa.table({"x": pa.array(np.array(rows, dtype=np.float16).tolist(), types[kind])})
    pq.write_table(table, tmp_path / "x.parquet")
    blocks = list(parquet_blocks(tmp_path / "x.parquet", embedding="x", block_rows=2))
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), rows)
    assert blocks[0].vectors.dtype == np.float32


@pytest.mark.parametrize("eraser", [LEACE(covariance_rows=None), SAL()])
def test_a_fit_from_the_file_is_the_fit_from_memory(large, path, eraser):
    streamed = fit_parquet(eraser, path, sensitive=["gender"], block_rows=700)
    fitted = eraser.fit(large.vectors, sensitive={"gender": large.column("gender")})
    np.testing.assert_allclose(
        streamed.transform(large.vectors), fitted.transform(large.vectors), atol=1e-4
    )
    assert streamed.model_.removed == {"gender": ("f", "m")}
    assert streamed.model_.fingerprint["primary"]["rows"] == 5000


@pytest.mark.parametrize("block_rows", [700, 2048, 16_384])
def test_a_fit_from_the_file_has_the_fingerprint_of_the_table(large, path, block_rows):
    streamed = fit_parquet(SAL(), path, sensitive=["gender"], block_rows=block_rows)
    assert streamed.model_.fingerprint["primary"] == table_record(large.vectors)


def test_a_target_is_kept(large, path):
    streamed = fit_parquet(SPLINCE(), path, sensitive=["gender"], target="task", block_rows=700)
    task, hidden = large.labels("task").codes, streamed.transform(large.vectors)
    for code in range(3):
        np.testing.assert_allclose(
            hidden[task == code].mean(axis=0) - hidden.mean(axis=0),
            large.vectors[task == code].mean(axis=0) - large.vectors.mean(axis=0),
            atol=1e-4,
        )


def test_the_eraser_that_was_given_is_not_changed(path):
    eraser = SAL()
    before = dict(vars(eraser))
    seen = []
    fit_parquet(
        eraser,
        path,
        sensitive=["gender"],
        block_rows=3000,
        progress=lambda done, total, what: seen.append((done, total, what)),
    )
    assert vars(eraser) == before
    assert seen == [(3000, 5000, "rows"), (5000, 5000, "rows")]


def test_bad_rows_are_named(tmp_path):
    X = np.ones((10, 3), dtype=np.float32)
    X[7, 1] = np.nan
    path = tmp_path / "nan.parquet"
    pq.write_table(pa.table({"embedding": vectors_to_arrow(X)}), path)
    with pytest.raises(InputError, match="counted from row 5, row 2, feature 1: NaN"):
        list(parquet_blocks(path, block_rows=5))
    ragged = pa.table({"embedding": pa.array([[1.0, 2.0]] * 5 + [[1.0]] * 5)})
    pq.write_table(ragged, path)
    with pytest.raises(InputError, match="row 5: expected 2 features as in row 0, found 1"):
        list(parquet_blocks(path, block_rows=5))


def test_files_that_cannot_be_read(path, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list(parquet_blocks(tmp_path / "missing.parquet"))
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(parquet_blocks(tmp_path / "text.parquet"))
    damaged = bytearray(path.read_bytes())
    damaged[2000:2100] = bytes(100)
    (tmp_path / "damaged.parquet").write_bytes(damaged)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(parquet_blocks(tmp_path / "damaged.parquet"))
    with pytest.raises(InputError, match="no column 'age'; it has 'embedding', 'gender'"):
        list(parquet_blocks(path, ["age"]))
    pq.write_table(
        pa.table({"embedding": pa.array([], pa.list_(pa.float32(), 4))}), tmp_path / "e.parquet"
    )
    with pytest.raises(InputError, match="expected at least one embedding, found none"):
        list(parquet_blocks(tmp_path / "e.parquet"))


def test_fits_that_cannot_be(path, large, tmp_path):
    with pytest.raises(InputError, match="INLP: has no partial_fit"):
        fit_parquet(INLP(), path, sensitive=["gender"])
    with pytest.raises(InputError, match="sensitive: expected the name of at least one column"):
        fit_parquet(LEACE(), path, sensitive=[])
    write_table(large.where("gender", "f"), tmp_path / "women.parquet")
    with pytest.raises(InputError, match="'gender': expected at least two classes, found 'f'"):
        fit_parquet(LEACE(), tmp_path / "women.parquet", sensitive=["gender"])
