"""Pairs: what is read, what is refused, and that LFW's text files name the right rows."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError
from sensitivenets.verification import make_pairs, read_pairs


@pytest.fixture
def faces():
    """Eight images: Ann_A 1-3, Bob_B 1-2, Cem_C 1-2, Dee_D 1; their order in the table is mixed."""
    names = ["Bob_B", "Ann_A", "Dee_D", "Ann_A", "Cem_C", "Ann_A", "Cem_C", "Bob_B"]
    numbers = [2, 1, 1, 3, 1, 2, 2, 1]
    vectors = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
    columns = pa.table({"subject": names, "image": numbers})
    return EmbeddingTable(vectors, columns, "faces.parquet")


def _write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_pairs_txt_with_folds_finds_rows_by_name_and_number(faces, tmp_path):
    text = "2\t1\nAnn_A\t1\t3\nAnn_A\t2\tBob_B\t1\nCem_C\t1\t2\nDee_D\t1\tBob_B\t2\n"
    pairs = read_pairs(_write(tmp_path / "pairs.txt", text), faces)
    assert pairs.left.tolist() == [1, 5, 4, 2]
    assert pairs.right.tolist() == [3, 7, 6, 0]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [0, 0, 1, 1]


def test_pairs_dev_test_txt_has_one_fold_and_may_end_in_blank_lines(faces, tmp_path):
    text = "2\nAnn_A 1 2\nBob_B 1 2\nAnn_A 1 Dee_D 1\nCem_C 1 Bob_B 1\n\n"
    pairs = read_pairs(_write(tmp_path / "pairsDevTest.txt", text), faces)
    assert pairs.same.tolist() == [True, True, False, False]
    assert pairs.folds.tolist() == [0]


def test_text_pairs_take_other_column_names(faces, tmp_path):
    renamed = EmbeddingTable(
        faces.vectors, faces.columns.rename_columns(["person", "number"]), "faces.parquet"
    )
    path = _write(tmp_path / "pairs.txt", "1\nAnn_A 1 2\nAnn_A 1 Bob_B 1\n")
    pairs = read_pairs(path, renamed, subject="person", image="number")
    assert pairs.left.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"line 1: expected '<folds> <pairs of a kind>'.*found ''"),
        ("Ann_A 1 2\n", r"line 1: expected '<folds> <pairs of a kind>'.*found 'Ann_A 1 2'"),
        ("2 1\nAnn_A 1 2\n", r"expected 2 x 2 x 1 = 4 pairs as its first line says, found 1"),
        ("1\nAnn_A 1 2\nAnn_A 1 Bob_B\n", r"line 3: expected 'name n1 n2'.*'Ann_A 1 Bob_B'"),
        ("1\nAnn_A 1 2\nAnn_A 9 Bob_B 1\n", r"line 3: image 9 of 'Ann_A' is not in faces.parquet"),
    ],
)
def test_text_pairs_that_cannot_be_used_name_the_line(faces, tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_pairs(_write(tmp_path / "pairs.txt", text), faces)


def test_text_pairs_refuse_a_table_with_an_image_twice(faces, tmp_path):
    twice = faces.take(np.array([0, 1, 1]))
    path = _write(tmp_path / "pairs.txt", "1\nAnn_A 1 2\nAnn_A 1 Bob_B 1\n")
    with pytest.raises(InputError, match="rows 1 and 2 both are image 1 of 'Ann_A'"):
        read_pairs(path, twice)


def test_text_pairs_need_a_table_and_image_numbers(faces, tmp_path):
    path = _write(tmp_path / "pairs.txt", "1\nAnn_A 1 2\nAnn_A 1 Bob_B 1\n")
    with pytest.raises(InputError, match="expected the table whose rows it names"):
        read_pairs(path)
    with pytest.raises(InputError, match="column 'subject': expected image numbers"):
        read_pairs(path, faces, image="subject")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected a text file in UTF-8"):
        read_pairs(path, faces)


@pytest.fixture
def parquet(tmp_path):
    columns = pa.table({
        "left": pa.array([0, 1, 2, 3], pa.int32()),
        "right": pa.array([1, 2, 3, 4], pa.int32()),
        "same": [True, False, True, False],
        "fold": pa.array([0, 0, 1, 1], pa.int8()),
        "protocol": pa.array(["a", "a", "a", "b"], pa.large_string()),
    })
    path = tmp_path / "pairs.parquet"
    pq.write_table(columns, path)
    return path


def test_parquet_pairs_are_chosen_by_protocol(parquet):
    pairs = read_pairs(parquet, protocol="a")
    assert pairs.left.tolist() == [0, 1, 2]
    assert pairs.fold.tolist() == [0, 0, 1]
    with pytest.raises(InputError, match="holds the protocols 'a', 'b'; choose one"):
        read_pairs(parquet)
    with pytest.raises(InputError, match="no pairs of protocol 'c'; it has 'a', 'b'"):
        read_pairs(parquet, protocol="c")


def test_parquet_pairs_without_fold_and_protocol_are_one_fold(parquet):
    pq.write_table(pq.read_table(parquet).select(["left", "right", "same"]), parquet)
    assert read_pairs(parquet).folds.tolist() == [0]
    with pytest.raises(InputError, match="no column 'protocol', so no protocol 'a'"):
        read_pairs(parquet, protocol="a")


def test_unreadable_pairs_say_why(parquet, tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_pairs(tmp_path / "absent.parquet")
    with pytest.raises(InputError, match=r"expected pairs as \.parquet or \.txt, found '\.csv'"):
        read_pairs(tmp_path / "pairs.csv")
    columns = pq.read_table(parquet)
    pq.write_table(columns.drop_columns(["same"]), parquet)
    with pytest.raises(InputError, match="no column 'same'; pairs need it, found 'left'"):
        read_pairs(parquet)
    nulls = columns.set_column(0, "left", pa.array([0, None, 1, 2], pa.int32()))
    pq.write_table(nulls, parquet)
    with pytest.raises(InputError, match="column 'left': 1 null values"):
        read_pairs(parquet, protocol="a")
    parquet.write_bytes(b"PAR1 no more")
    with pytest.raises(InputError, match=r"cannot be read as \.parquet"):
        read_pairs(parquet)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([0, 1], [1], [True, False]), "expected columns of one length, found .*'right': 1"),
        (([], [], []), "expected at least one pair, found none"),
        (([0, 3], [1, 3], [True, True]), "pair 1: compares row 3 with itself"),
        (([0], [1], [2]), r"column 'same': expected true/false or 0/1, found \[2\]"),
        (([0.5], [1], [True]), "column 'left': expected one flat column of whole numbers"),
        (([[0]], [1], [True]), "column 'left': expected one flat column of whole numbers"),
    ],
)
def test_pairs_that_are_no_pairs_are_refused(columns, message):
    with pytest.raises(InputError, match=message):
        make_pairs(*columns)


def test_rows_out_of_range_are_named_and_counted():
    pairs = make_pairs([0, 1, -1], [1, 12, 2], [True, False, True])
    with pytest.raises(InputError, match=r"pair 1: rows 1 and 12, but faces has rows 0 to 9 \(2"):
        pairs.require_rows(10, "faces")
