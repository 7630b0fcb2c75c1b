import pickle
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from threadpoolctl import threadpool_limits

from sensitivenets.embeddings import EmbeddingTable, vectors_to_arrow, write_table
from sensitivenets.embeddings.rows import blas_threads
from sensitivenets.embeddings.source import open_table
from sensitivenets.embeddings.source_rows import SourceRows
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
    blocks = list(open_table(path).blocks(["gender"], block_rows=block_rows))
    assert [len(block) for block in blocks[:-1]] == [block_rows] * (len(blocks) - 1)
    assert [block.start for block in blocks] == list(range(0, 5000, block_rows))
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), large.vectors)
    columns = pa.concat_tables([block.columns for block in blocks])
    assert columns.column_names == ["gender"]
    assert columns["gender"].to_pylist() == large.columns["gender"].to_pylist()


def test_float32_is_not_copied_from_arrow(path):
    block = next(open_table(path).blocks())
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
        for block in open_table(tmp_path / "wide.parquet").blocks(block_rows=1000):
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
    blocks = list(open_table(tmp_path / "x.parquet", embedding="x").blocks(block_rows=2))
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), rows)
    assert blocks[0].vectors.dtype == np.float32


def test_bad_rows_are_named(tmp_path):
    X = np.ones((10, 3), dtype=np.float32)
    X[7, 1] = np.nan
    path = tmp_path / "nan.parquet"
    pq.write_table(pa.table({"embedding": vectors_to_arrow(X)}), path)
    with pytest.raises(InputError, match=r"nan.parquet: column 'embedding', row 7, feature 1: NaN"):
        list(open_table(path).blocks(block_rows=5))
    ragged = pa.table({"embedding": pa.array([[1.0, 2.0]] * 5 + [[1.0]] * 5)})
    pq.write_table(ragged, path)
    with pytest.raises(InputError, match="row 5: expected 2 features as in row 0, found 1"):
        list(open_table(path).blocks(block_rows=5))


def test_files_that_cannot_be_read(path, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        open_table(tmp_path / "missing.parquet")
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(InputError, match=r"cannot be read as .parquet"):
        open_table(tmp_path / "text.parquet")
    damaged = bytearray(path.read_bytes())
    damaged[2000:2100] = bytes(100)
    (tmp_path / "damaged.parquet").write_bytes(damaged)
    with pytest.raises(InputError, match=r"cannot be read as .parquet"):
        list(open_table(tmp_path / "damaged.parquet").blocks())
    with pytest.raises(InputError, match="no column 'age'; its label columns are 'gender', 'task'"):
        list(open_table(path).blocks(["age"]))
    pq.write_table(
        pa.table({"embedding": pa.array([], pa.list_(pa.float32(), 4))}), tmp_path / "e.parquet"
    )
    with pytest.raises(InputError, match="expected at least one embedding, found none"):
        open_table(tmp_path / "e.parquet")


@pytest.fixture(scope="module")
def folder(large, tmp_path_factory):
    """The same rows in three files of uneven length, the last sorted by name."""
    folder = tmp_path_factory.mktemp("parts")
    for name, rows in (("a", slice(0, 1300)), ("b", slice(1300, 1301)), ("c", slice(1301, 5000))):
        write_table(large.take(np.arange(5000)[rows]), folder / f"{name}.parquet")
    return folder


@pytest.mark.parametrize(("start", "stop"), [(0, None), (0, 1), (1200, 1400), (1301, 4999)])
@pytest.mark.parametrize("block_rows", [700, 10_000])
def test_any_rows_of_parts_are_those_of_the_table(large, folder, start, stop, block_rows):
    source = open_table(folder)
    blocks = list(source.blocks(["task"], block_rows=block_rows, start=start, stop=stop))
    assert blocks[0].start == start
    rows = slice(start, stop)
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), large.vectors[rows])
    found = pa.concat_tables([b.columns for b in blocks])["task"].to_pylist()
    assert found == large.columns["task"].to_pylist()[rows]


def test_parts_are_read_whole_as_one_table(large, folder):
    read = open_table(folder).read()
    np.testing.assert_array_equal(read.vectors, large.vectors)
    assert read.columns.equals(large.columns)
    assert read.source == str(folder)


@pytest.mark.parametrize(("start", "stop"), [(0, None), (100, 300)])
def test_conditions_choose_rows_block_by_block(large, folder, start, stop):
    source = open_table(folder, conditions=[("gender", "m"), ("task", "2")])
    chosen = large.where("gender", "m").where("task", "2")
    assert source.n_rows == len(chosen)
    found = [b.vectors for b in source.blocks(block_rows=70, start=start, stop=stop)]
    np.testing.assert_array_equal(np.concatenate(found), chosen.vectors[start:stop])
    assert source.read_labels(["task"]).equals(chosen.columns.select(["task"]))


class OnManyThreads:
    """An engine that leaves BLAS to whoever asks."""

    def map(self, function, parts, *, in_order=True):
        yield from map(function, parts)


def test_results_are_added_up_on_one_thread_whoever_made_them(folder):
    """The last bits of a product depend on its threads, and who merges multiplies."""
    rows = SourceRows(open_table(folder), OnManyThreads())
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        seen = [blas_threads() for _ in rows.over_stretches(lambda stretch: stretch)]
        assert (before, set(seen), blas_threads()) == (2, {1}, 2)


def test_a_condition_that_no_row_meets_is_refused(folder):
    with pytest.raises(InputError, match="no row has gender = 'x'; its values are 'f', 'm'"):
        open_table(folder, conditions=[("gender", "x")])
    with pytest.raises(InputError, match="no column 'age'; its label columns are 'gender'"):
        open_table(folder, conditions=[("age", "x")])


def test_some_rows_are_taken_with_their_labels(large, folder):
    rows = np.array([0, 1299, 1300, 1301, 4999])
    taken = open_table(folder).take(rows)
    np.testing.assert_array_equal(taken.vectors, large.vectors[rows])
    assert taken.columns.equals(large.columns.take(pa.array(rows)).combine_chunks())


def test_a_source_can_be_sent_to_a_worker(large, folder):
    sent = pickle.loads(pickle.dumps(open_table(folder)))
    np.testing.assert_array_equal(sent.read().vectors, large.vectors)


def test_parts_that_do_not_fit_together_are_named(folder, large, tmp_path):
    write_table(large, tmp_path / "a.parquet")
    short = EmbeddingTable(large.vectors[:, :5], large.columns)
    write_table(short, tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b.parquet: column 'embedding', row 0: expected 8 feat"):
        list(open_table(tmp_path).blocks())
    text = large.columns.set_column(1, "task", pa.array(["x"] * 5000))
    write_table(EmbeddingTable(large.vectors, text), tmp_path / "b.parquet")
    with pytest.raises(
        InputError, match=r"b.parquet: column 'task' is string, but int64 in .*a.par"
    ):
        open_table(tmp_path)


def test_a_label_that_a_part_lacks_is_null_there(large, tmp_path):
    write_table(large.take(np.arange(3)), tmp_path / "a.parquet")
    write_table(EmbeddingTable(large.vectors[:2], pa.table({})), tmp_path / "b.parquet")
    read = open_table(tmp_path).read()
    assert read.columns["task"].to_pylist()[3:] == [None, None]
    assert read.columns["task"].type == pa.int64()


def test_a_damaged_part_is_named(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    damaged = bytearray((tmp_path / "c.parquet").read_bytes())
    damaged[2000:2100] = bytes(100)
    (tmp_path / "c.parquet").write_bytes(damaged)
    with pytest.raises(InputError, match=r"c.parquet: cannot be read as .parquet"):
        list(open_table(tmp_path).blocks())
