"""Every kind of file gives the same table, row for row and block for block."""

import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from sensitivenets.embeddings import read_table
from sensitivenets.embeddings.source import open_table
from sensitivenets.errors import InputError

ROWS = np.random.default_rng(0).integers(1, 90, (37, 12)).astype(np.float32) / 4
IDS = [f"{k:04d}" for k in range(37)]
GENDERS = [None if k % 5 == 0 else "fm"[k % 2] for k in range(37)]
AGES = list(range(20, 57))


def lists(kind=None):
    return pa.array(ROWS.tolist(), kind or pa.list_(pa.float32()))


def arrow(column=None, **more):
    labels = {"id": IDS, "gender": GENDERS, "age": AGES}
    return pa.table({"embedding": lists() if column is None else column} | labels | more)


def features(separator=",", point="."):
    names = [*(f"f{k}" for k in (10, 11, *range(10))), "id", "gender", "age"]
    order = [10, 11, *range(10)]
    lines = [separator.join(names)]
    for row, who, gender, age in zip(ROWS, IDS, GENDERS, AGES, strict=True):
        values = [str(row[k]).replace(".", point) for k in order]
        lines.append(separator.join([*values, who, gender or "", str(age)]))
    return "\n".join(lines) + "\n"


def as_parquet(path):
    pq.write_table(arrow(), path, row_group_size=10)


def as_feather(path):
    pyarrow.feather.write_feather(arrow(), path, chunksize=10)


def as_stream(path):
    with pa.ipc.new_stream(path, arrow().schema) as writer:
        writer.write_table(arrow(), max_chunksize=10)


def as_csv(path):
    path.write_text(features())


def as_csv_of_lists(path):
    cells = [json.dumps(row.tolist()) for row in ROWS]
    rows = zip(cells, IDS, GENDERS, AGES, strict=True)
    text = [f'"{cell}",{who},{gender or ""},{age}' for cell, who, gender, age in rows]
    path.write_text("\n".join(["embedding,id,gender,age", *text]) + "\n")


def as_json_lines(path):
    names = ("embedding", "id", "gender", "age")
    rows = zip(ROWS.tolist(), IDS, GENDERS, AGES, strict=True)
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))


def beside(path):
    rows = zip(IDS, GENDERS, AGES, strict=True)
    text = [f"{who};{gender or ''};{age}" for who, gender, age in rows]
    path.with_suffix(".csv").write_text("\n".join(["id;gender;age", *text]) + "\n")


def as_npy(path):
    np.save(path, ROWS)
    beside(path)


def as_safetensors(path):
    save_file({"embedding": ROWS}, path)
    beside(path)


KINDS = [
    (as_parquet, "t.parquet", "embedding"),
    (as_parquet, "t.pq", "embedding"),
    (as_feather, "t.feather", "embedding"),
    (as_stream, "t.arrow", "embedding"),
    (as_csv, "t.csv", "f*"),
    (as_csv_of_lists, "t.csv", "embedding"),
    (as_json_lines, "t.jsonl", "embedding"),
    (as_npy, "t.npy", "embedding"),
    (as_safetensors, "t.safetensors", "embedding"),
]


@pytest.mark.parametrize(("write", "name", "embedding"), KINDS)
def test_every_kind_of_file_gives_the_same_table(tmp_path, write, name, embedding):
    write(tmp_path / name)
    table = read_table(tmp_path / name, embedding=embedding)
    np.testing.assert_array_equal(table.vectors, ROWS)
    assert table.columns["id"].to_pylist() == IDS
    assert table.columns["gender"].to_pylist() == GENDERS
    assert table.columns["age"].to_pylist() == AGES
    assert table.columns.column_names == ["id", "gender", "age"]


@pytest.mark.parametrize(("write", "name", "embedding"), KINDS)
@pytest.mark.parametrize(("start", "stop"), [(0, 37), (9, 21), (36, 37)])
def test_every_kind_of_file_gives_any_rows_in_blocks(tmp_path, write, name, embedding, start, stop):
    write(tmp_path / name)
    source = open_table(tmp_path / name, embedding=embedding)
    blocks = list(source.blocks(["age"], block_rows=7, start=start, stop=stop))
    assert max(map(len, blocks)) <= 7
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), ROWS[start:stop])
    assert [age for b in blocks for age in b.columns["age"].to_pylist()] == AGES[start:stop]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("rows", [ROWS, np.asfortranarray(ROWS), ROWS.astype(np.float64)])
def test_npz_in_blocks(tmp_path, save, rows):
    save(tmp_path / "t.npz", embedding=rows, age=np.array(AGES))
    blocks = list(open_table(tmp_path / "t.npz").blocks(["age"], block_rows=7, start=5))
    np.testing.assert_array_equal(np.concatenate([b.vectors for b in blocks]), ROWS[5:])
    assert [age for b in blocks for age in b.columns["age"].to_pylist()] == AGES[5:]


def test_an_npz_that_ends_early(tmp_path):
    np.savez(tmp_path / "t.npz", embedding=ROWS)
    with zipfile.ZipFile(tmp_path / "t.npz") as archive:
        member = archive.read("embedding.npy")
    with zipfile.ZipFile(tmp_path / "t.npz", "w") as archive:
        archive.writestr("embedding.npy", member[:-100])
    with pytest.raises(InputError, match="expected 37 rows, it ends within row 34"):
        read_table(tmp_path / "t.npz")


@pytest.mark.parametrize(
    "kind",
    [
        pa.list_view(pa.float32()),
        pa.large_list_view(pa.float64()),
        pa.large_list(pa.float16()),
        pa.list_(pa.float64(), 12),
    ],
    ids=str,
)
def test_lists_of_every_make(tmp_path, kind):
    pyarrow.feather.write_feather(arrow(lists(kind)), tmp_path / "t.feather")
    np.testing.assert_array_equal(read_table(tmp_path / "t.feather").vectors, ROWS)


def test_fixed_shape_tensors(tmp_path):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(ROWS)
    pq.write_table(arrow(tensors), tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").vectors, ROWS)


def test_int8_is_multiplied_by_its_scale_which_is_no_label(tmp_path):
    integers = np.arange(-18, 19, dtype=np.int8)[:, None] + np.arange(1, 13, dtype=np.int8)
    column = pa.array(integers.tolist(), pa.list_(pa.int8()))
    scales = np.linspace(0.01, 0.02, 37)
    pq.write_table(arrow(column, embedding_scale=scales), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    np.testing.assert_allclose(table.vectors, integers * scales[:, None], rtol=1e-6)
    assert "embedding_scale" not in table.columns.column_names
    pq.write_table(arrow(column), tmp_path / "t.parquet")
    np.testing.assert_array_equal(read_table(tmp_path / "t.parquet").vectors, integers)


def test_numbers_with_a_comma_between_semicolons(tmp_path):
    (tmp_path / "t.csv").write_text(features(";", ","))
    np.testing.assert_array_equal(read_table(tmp_path / "t.csv", embedding="f*").vectors, ROWS)


def test_a_zero_that_comes_late_still_makes_ids_text(tmp_path):
    lines = ["id,score,f0,f1", *(f"{k},{k}.50,1,2" for k in range(1, 400_000)), "007,x,1,2"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    source = open_table(tmp_path / "t.csv", embedding="f*")
    labels = source.read_labels(["id", "score"])
    assert labels["id"].to_pylist()[-2:] == ["399999", "007"]
    assert labels["score"].to_pylist()[0] == "1.50"


def test_parts_of_csv_are_of_one_type(tmp_path):
    (tmp_path / "a.csv").write_text("id,score,f0,f1\n1,2.50,1,2\n")
    (tmp_path / "b.csv").write_text("id,score,f0,f1\n007,high,1,2\n")
    table = read_table(tmp_path, embedding="f*")
    assert table.columns["id"].to_pylist() == ["1", "007"]
    assert table.columns["score"].to_pylist() == ["2.50", "high"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"vec": [[1.0]], "n": [1]}, "no column 'embedding'; it has .*: --embedding vec$"),
        ({"f0": [1.0], "f1": [2.0], "n": [1]}, "for a column a feature: --embedding 'f\\*'$"),
        ({"name": ["x"]}, "it has 'name'; name the embedding column with --embedding, or embed"),
        ({"embedding": [1.5]}, "found double; for a column a feature, name them all, as in"),
        ({"embedding": [b"12"]}, "found binary; bytes do not say what they hold: decode them"),
        ({"embedding": [[[1.0, 2.0]]]}, "flatten each row to one list of numbers"),
        ({"embedding": [[1, 2]]}, "write the numbers as float32, or as int8 beside a column"),
        ({"embedding": ["1 2 3"]}, "row 0: expected a list of numbers in JSON, such as"),
        ({"embedding": [None, [1.0]]}, "row 0: no embedding \\(1 such rows\\); drop these rows"),
    ],
)
def test_refusals_name_the_remedy(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / "t.parquet")


def test_features_that_are_none_or_missing_are_refused(tmp_path):
    pq.write_table(pa.table({"f0": [1.0, None], "free": ["a", "b"]}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match="'f\\*' takes in the column 'free' of type string"):
        read_table(tmp_path / "t.parquet", embedding="f*")
    with pytest.raises(InputError, match="column 'f0', row 1: null"):
        read_table(tmp_path / "t.parquet", embedding="f[0-9]")


def test_two_columns_of_one_name_in_a_csv(tmp_path):
    (tmp_path / "t.csv").write_text("a,a,f0\n1,2,3\n")
    with pytest.raises(InputError, match=r"t.csv: two columns are named 'a'; rename one"):
        read_table(tmp_path / "t.csv", embedding="f*")
