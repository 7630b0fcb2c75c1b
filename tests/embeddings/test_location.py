"""Folders, Hive partitions, globs, URLs and saved data sets."""

import json

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, read_table, write_table
from sensitivenets.embeddings.location import find_parts, find_place
from sensitivenets.errors import InputError

SUFFIXES = (".parquet", ".npy", ".csv", ".arrow")


def write(path, value, **labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = pa.table({name: [label] for name, label in labels.items()})
    write_table(EmbeddingTable(np.full((1, 2), value, np.float32), columns), path)


def values(where):
    return read_table(where).vectors[:, 0].tolist()


@pytest.fixture
def lake(tmp_path):
    for k, name in enumerate(("b/2", "a/1", "a/10", "_tmp/3", "a/.4", "a/_5"), start=1):
        write(tmp_path / f"{name}.parquet", k)
    (tmp_path / "a" / "README.md").write_text("not a part")
    return tmp_path


def test_a_folder_is_its_files_in_the_order_of_their_paths(lake):
    assert values(lake) == [2, 3, 1]
    names = [part.relative for part in find_parts(lake, SUFFIXES)]
    assert names == ["a/1.parquet", "a/10.parquet", "b/2.parquet"]


@pytest.mark.parametrize(
    ("glob", "expected"),
    [
        ("*/*.parquet", [2, 3, 1]),
        ("a/*.parquet", [2, 3]),
        ("**/*.parquet", [2, 3, 1]),
        ("a/?.parquet", [2]),
        ("[b-c]/*.parquet", [1]),
    ],
)
def test_globs(lake, glob, expected, monkeypatch):
    assert values(f"{lake}/{glob}") == expected
    monkeypatch.chdir(lake)
    assert values(glob) == expected
    if "?" not in glob:  # behind which a URL has its options
        assert values(f"file://{lake}/{glob}") == expected


def test_a_url_of_this_machine(lake):
    assert values(f"file://{lake}/b/2.parquet") == [1]
    assert values(f"file://{lake}") == [2, 3, 1]


def test_hive_partitions_are_columns(tmp_path):
    write(tmp_path / "split=fit" / "id=007" / "1.parquet", 1, gender="f")
    write(tmp_path / "split=test" / "id=7" / "1.parquet", 2, gender="m")
    write(tmp_path / "split=__HIVE_DEFAULT_PARTITION__" / "id=8" / "1.parquet", 3, gender="m")
    table = read_table(tmp_path)
    rows = dict(zip(table.vectors[:, 0].tolist(), table.columns.to_pylist(), strict=True))
    assert rows[1] == {"gender": "f", "split": "fit", "id": "007"}
    assert rows[2] == {"gender": "m", "split": "test", "id": "7"}
    assert rows[3] == {"gender": "m", "split": None, "id": "8"}


def test_partitions_of_numbers_are_numbers(tmp_path):
    for year in (2023, 2024):
        write(tmp_path / f"year={year}" / "1.parquet", year)
    assert read_table(tmp_path).columns["year"].to_pylist() == [2023, 2024]


def saved_by_hugging_face(folder, names, **more):
    """Write what `datasets.save_to_disk` writes: streams, in the order that state.json says."""
    folder.mkdir(parents=True)
    for k, name in enumerate(names, start=1):
        table = pa.table({"embedding": [[float(k), 1.0]], "id": [f"{k}"]})
        with pa.ipc.new_stream(folder / name, table.schema) as writer:
            writer.write_table(table)
    state = {"_data_files": [{"filename": name} for name in names]} | more
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text("{}")


def test_a_saved_data_set_is_read_in_its_order(tmp_path):
    saved_by_hugging_face(tmp_path / "d", ["z.arrow", "a.arrow"])
    assert values(tmp_path / "d") == [1, 2]


def test_a_view_of_a_saved_data_set_is_refused(tmp_path):
    saved_by_hugging_face(tmp_path / "d", ["a.arrow"], _indices_files=[{"filename": "i.arrow"}])
    with pytest.raises(InputError, match=r"a view of some rows; save it again after .flatten_ind"):
        read_table(tmp_path / "d")


def test_of_a_data_set_of_splits_one_is_named(tmp_path):
    saved_by_hugging_face(tmp_path / "d" / "train", ["a.arrow"])
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train"]}')
    with pytest.raises(
        InputError, match=r"a data set of several splits; name one, such as .*/train"
    ):
        read_table(tmp_path / "d")
    assert values(tmp_path / "d" / "train") == [1]


def test_labels_beside_arrays_are_no_parts(tmp_path):
    for k in (1, 2):
        np.save(tmp_path / f"{k}.npy", np.full((1, 2), k, np.float32))
        (tmp_path / f"{k}.csv").write_text(f"id\n00{k}\n")
    table = read_table(tmp_path)
    assert table.vectors[:, 0].tolist() == [1, 2]
    assert table.columns["id"].to_pylist() == ["001", "002"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("nowhere", "nowhere: no such file or folder$"),
        ("emty", r"emty: no such file or folder; did you mean 'empty'\?$"),
        ("nowhere/a.npy", "no such file or folder; there is no folder '.*nowhere' either$"),
        ("a/*.npy", "no file matches; put the pattern in quotes"),
        ("nowhere/*.npy", "no folder '.*nowhere' to look in"),
        ("empty", r"empty: expected files ending in one of \.parquet, .*, found none"),
        ("text", r"found \.md"),
        (
            "model",
            "model: this is a model folder; expected a table of embeddings, as `sensitivenets tr",
        ),
    ],
)
def test_places_where_no_table_is(lake, where, message):
    (lake / "empty").mkdir()
    (lake / "text").mkdir()
    (lake / "text" / "README.md").write_text("no table")
    (lake / "model").mkdir()
    (lake / "model" / "config.json").write_text("{}")
    (lake / "model" / "model.safetensors").write_text("")
    with pytest.raises(InputError, match=message):
        read_table(f"{lake}/{where}")


@pytest.mark.parametrize("url", ["http://host/t.parquet", "nothing://x"])
def test_urls_that_pyarrow_does_not_know(url):
    with pytest.raises(InputError, match=r"cannot be reached: .*expected a path, or a URL such as"):
        read_table(url)


def test_a_url_that_went_through_a_path_is_recognised(tmp_path):
    with pytest.raises(InputError, match="a Path swallowed a slash of the URL; give it as text"):
        read_table("s3:/lake/faces")


def test_keys_and_options_are_never_shown():
    url = "s3://KEY:SECRET@lake/faces?endpoint_override=127.0.0.1:1&scheme=http"
    assert find_place(url).shown == "s3://lake/faces"


def test_what_was_named_from_here_is_found_from_elsewhere_and_shown_as_it_was_named(
    lake, monkeypatch
):
    monkeypatch.chdir(lake)
    parts = find_parts("a", SUFFIXES)
    assert [part.name for part in parts] == ["a/1.parquet", "a/10.parquet"]
    assert parts[0].path == str(lake / "a" / "1.parquet")
