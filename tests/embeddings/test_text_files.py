"""Labels in a .csv, where text that looks like a number is not always one."""

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.datasets.readers import read_label_file
from sensitivenets.embeddings import read_table
from sensitivenets.embeddings.text_files import read_csv
from sensitivenets.errors import InputError


def read(folder, content, **options):
    (folder / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_csv(folder / "t.csv", **options)


@pytest.mark.parametrize(
    "ids",
    [
        ["01", "1", "001"],
        ["007", "7", ""],
        ["12345678901234567890", "12345678901234567891", "1"],
        ["00.5", "0.5", ".5"],
    ],
)
def test_ids_that_a_number_would_make_one_stay_text(ids, tmp_path):
    found = read(tmp_path, "subject,age\n" + "".join(f"{one},20\n" for one in ids))
    assert found["subject"].to_pylist() == [one or None for one in ids]
    assert found["age"].to_pylist() == [20] * 3


def test_numbers_stay_numbers(tmp_path):
    found = read(tmp_path, "a,b,c,d\n0,0.5,-3,true\n10,1.25,,false\n")
    assert found.schema.types == [pa.int64(), pa.float64(), pa.int64(), pa.string()]


def test_both_ways_to_give_labels_tell_the_people_apart(tmp_path):
    ids = ["01", "1", "001"]
    np.save(tmp_path / "t.npy", np.eye(3, dtype=np.float32))
    (tmp_path / "t.csv").write_text("subject\n" + "\n".join(ids) + "\n")
    assert len(read_table(tmp_path / "t.npy").labels("subject").classes) == 3
    lines = "".join(f"{k}.jpg,{one}\n" for k, one in enumerate(ids))
    (tmp_path / "l.csv").write_text("image,subject\n" + lines)
    assert read_label_file(tmp_path / "l.csv").rows["subject"].to_pylist() == ids


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,a\n1,2,3\n", "two columns are named 'a'; rename one"),
        ('"a",b,"a"\n1,2,3\n', "two columns are named 'a'"),
        (
            "a,b\n1,2\n".encode("utf-16"),
            "expected text in UTF-8, found UTF-16 or UTF-32; save it as UTF-8",
        ),
        ("a,b\n1,2\n".encode("utf-16-le"), "expected text in UTF-8, found UTF-16 or UTF-32"),
        ("a,b\n1,2\n".encode("utf-32"), "expected text in UTF-8, found UTF-16 or UTF-32"),
        ("näme,b\n1,2\n".encode("latin-1"), "expected text in UTF-8"),
        (b"a,b\n\xff,2\n", "cannot be read as .csv: .* invalid UTF8 data"),
        ("", "cannot be read as .csv"),
    ],
)
def test_odd_files_are_refused_in_a_line(content, message, tmp_path):
    with pytest.raises(InputError, match=rf"t\.csv: {message}") as refused:
        read(tmp_path, content)
    assert len(str(refused.value)) < 1000


def test_a_mark_at_the_start_and_line_breaks_within_quotes_are_read(tmp_path):
    found = read(tmp_path, '\ufeffname,b\n"one\ntwo",3\n'.encode())
    assert found.to_pydict() == {"name": ["one\ntwo"], "b": [3]}
