"""Published face data sets in their published layouts, made small; and files that lie."""

import json
import os
import pickle
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.cli import main
from sensitivenets.datasets.readers import (
    join_embeddings,
    read_bin,
    read_celeba,
    read_fairface,
    read_label_file,
    read_lfw,
    read_rfw,
    read_utkface,
    read_vggface2,
)
from sensitivenets.datasets.readers.joining import places_of
from sensitivenets.embeddings import EmbeddingTable, read_table, write_table
from sensitivenets.errors import InputError
from sensitivenets.verification import read_pairs


def files(folder, contents):
    """Write text files, or empty ones, with the folders they need."""
    for name, text in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text or "", encoding="utf-8")
    return folder


CELEBA = {
    "Anno/list_attr_celeba.txt": "2\nMale Smiling 5_o_Clock_Shadow\n"
    "000001.jpg -1  1 -1\n000002.jpg  1 -1  1\n",
    "Anno/identity_CelebA.txt": "000002.jpg 7\n000001.jpg 2880\n",
    "Eval/list_eval_partition.txt": "000001.jpg 0\n000002.jpg 2\n",
}
FAIRFACE = {
    "fairface_label_train.csv": "file,age,gender,race,service_test\n"
    "train/1.jpg,50-59,Male,East Asian,True\ntrain/2.jpg,3-9,Female,Latino_Hispanic,False\n",
    "fairface_label_val.csv": "file,age,gender,race,service_test\n"
    "val/1.jpg,more than 70,Female,Indian,True\n",
}
LFW = {
    "people.txt": "2\n1\nAaron_Eckhart\t1\n2\nBo_Li\t2\nZoë_X\t1\n",
    "peopleDevTrain.txt": "2\nAaron_Eckhart\t1\nZoë_X\t1\n",
    "peopleDevTest.txt": "1\nBo_Li\t2\n",
    "pairsDevTest.txt": "1\nBo_Li\t1\t2\nAaron_Eckhart\t1\tZoë_X\t1\n",
}
VGGFACE2 = {
    "meta/identity_meta.csv": "Class_ID, Name, Sample_Num, Flag, Gender\n"
    'n000001, "14th_Dalai_Lama", 424, 0, m\n'
    'n000009, "Smith,_Jr.,_Ann", 12, 1, f\n'
    "n000011, Doe, Jane, 3, 1, f\n",
    "meta/test_list.txt": "n000001/0001_01.jpg\nn000009/0002_01.jpg\nn000011/0001_01.jpg\n",
}
RFW = {
    "test/txts/African/African_people.txt": "m.0abc\t2\n",
    "test/txts/Asian/Asian_people.txt": "m.0xyz 1\n",
    "test/data/African/m.0abc/m.0abc_0001.jpg": "",
    "test/data/Asian/m.0xyz/m.0xyz_0001.jpg": "",
}


@pytest.mark.parametrize("comma", [False, True])
def test_celeba(tmp_path, comma):
    lists = CELEBA
    if comma:
        lists = {
            "list_attr_celeba.csv": "image_id,Male,Smiling,5_o_Clock_Shadow\n"
            "000001.jpg,-1,1,-1\n000002.jpg,1,-1,1\n",
            "identity_CelebA.csv": "image_id,identity\n000002.jpg,7\n000001.jpg,2880\n",
            "list_eval_partition.csv": "image_id,partition\n000001.jpg,0\n000002.jpg,2\n",
        }
    faces = read_celeba(files(tmp_path, lists))
    assert faces.rows.to_pydict() == {
        "image": ["000001.jpg", "000002.jpg"],
        "subject": [2880, 7],
        "gender": ["Female", "Male"],
        "smiling": [True, False],
        "5_o_clock_shadow": [False, True],
        "split": ["train", "test"],
    }
    assert faces.images is None


def test_celeba_without_identities_and_with_some_of_the_photographs(tmp_path):
    only = {name: text for name, text in CELEBA.items() if "attr" in name}
    faces = read_celeba(files(tmp_path, only | {"Img/img_align_celeba/000002.jpg": ""}))
    assert faces.rows["subject"].to_pylist() == [None, None]
    assert faces.missing == ("000001.jpg",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Anno/list_attr_celeba.txt": "3\nMale\n1.jpg 1\n"}, "expected 3 photographs .* found 1"),
        ({"Anno/list_attr_celeba.txt": "1\nMale\n1.jpg 1 1\n"}, "line 3: expected a file .* and 1"),
        ({"Anno/list_attr_celeba.txt": "2\nA B\n1.jpg 1\n2.jpg 1 1 1\n"}, "line 3: expected"),
        ({"Anno/list_attr_celeba.txt": "1\nMale\n1.jpg 3\n"}, "-1 or 1 for 'Male' of '1.jpg'"),
        ({"Anno/list_attr_celeba.txt": "1\nMale\n../1.jpg 1\n"}, "a path below the folder"),
        ({"Anno/list_attr_celeba.txt": "2\nM\n1.jpg 1\n1.jpg 1\n"}, "line 4: '1.jpg' is listed"),
        ({"Anno/identity_CelebA.txt": "000001.jpg 7\n"}, "has no line for '000002.jpg'"),
        ({"Eval/list_eval_partition.txt": "000001.jpg 0\n000002.jpg 9\n"}, "expected 0, 1 or 2"),
    ],
)
def test_celeba_files_that_are_wrong(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_celeba(files(tmp_path, CELEBA | change))


def test_fairface(tmp_path):
    faces = read_fairface(files(tmp_path, FAIRFACE | {"val/1.jpg": ""}))
    assert faces.rows.to_pydict() == {
        "image": ["train/1.jpg", "train/2.jpg", "val/1.jpg"],
        "gender": ["Male", "Female", "Female"],
        "ethnicity": ["Group 1", "Group 3", "Group 2"],
        "race": ["East Asian", "Latino_Hispanic", "Indian"],
        "age": ["50-59", "3-9", "more than 70"],
        "split": ["train", "train", "validation"],
    }
    assert faces.missing == ("train/1.jpg", "train/2.jpg")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,age,gender\n", "no column 'race'"),
        ("file,age,gender,race\n1.jpg,3-9,Male,Martian\n", "line 2: expected a race of"),
        ("file,age,gender,race\n1.jpg,3-9,,White\n", "line 2: expected file, age, gender"),
        ("file,age,gender,race\n/etc/passwd,3-9,Male,White\n", "a path below the folder"),
    ],
)
def test_fairface_files_that_are_wrong(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_fairface(files(tmp_path, {"fairface_label_val.csv": text}))


def test_utkface_names_say_it_all_and_odd_ones_are_left_out(tmp_path):
    names = ("26_1_2_20170116184024662.jpg.chip.jpg", "part2/100_0_4_20170105183303693.jpg")
    odd = ("39_1_20170116174525125.jpg.chip.jpg", "61_1_20170109150557335.jpg", "notes.jpg")
    faces = read_utkface(files(tmp_path, dict.fromkeys((*names, *odd))))
    assert faces.rows.to_pydict() == {
        "image": list(names),
        "gender": ["Female", "Male"],
        "ethnicity": ["Group 1", None],
        "race": ["Asian", "Others"],
        "age": [26, 100],
    }
    assert set(faces.skipped) == set(odd)
    with pytest.raises(InputError, match="found 1 of other names"):
        read_utkface(files(tmp_path / "other", {"a.jpg": ""}))


def test_lfw_lists_and_its_pairs(tmp_path):
    photographs = {"lfw/Bo_Li/Bo_Li_0001.jpg": "", "lfw/Bo_Li/Bo_Li_0002.jpg": ""}
    faces = read_lfw(files(tmp_path, LFW | photographs))
    assert faces.rows.to_pydict() == {
        "image": [
            "Aaron_Eckhart/Aaron_Eckhart_0001.jpg",
            "Bo_Li/Bo_Li_0001.jpg",
            "Bo_Li/Bo_Li_0002.jpg",
            "Zoë_X/Zoë_X_0001.jpg",
        ],
        "subject": ["Aaron_Eckhart", "Bo_Li", "Bo_Li", "Zoë_X"],
        "number": [1, 1, 2, 1],
        "fold": [0, 1, 1, 1],
        "split": ["dev_train", "dev_test", "dev_test", "dev_train"],
    }
    assert faces.missing == (faces.rows["image"][0].as_py(), faces.rows["image"][3].as_py())
    table = EmbeddingTable(np.eye(4, dtype=np.float32), faces.rows)
    pairs = read_pairs(
        tmp_path / "pairsDevTest.txt", table=table, subject="subject", image="number"
    )
    assert (pairs.left.tolist(), pairs.right.tolist()) == ([1, 0], [2, 3])
    assert pairs.same.tolist() == [True, False]


def test_lfw_from_its_folders_alone(tmp_path):
    faces = read_lfw(files(tmp_path, {"B/B_0002.jpg": "", "A/A_0001.jpg": "", "A/x.jpg": ""}))
    assert faces.rows["image"].to_pylist() == ["A/A_0001.jpg", "B/B_0002.jpg"]
    with pytest.raises(InputError, match="or photographs such as"):
        read_lfw(files(tmp_path / "none", {"x/readme.txt": ""}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people.txt": "2\n1\nA\t1\n"}, "expected 2 folds, found 1"),
        ({"people.txt": "1\n3\nA\t1\n"}, "line 2: expected 3 people after it, found 1"),
        ({"people.txt": "1\n1\nA\t1\nB\t1\n"}, "line 4: expected no more people"),
        ({"people.txt": "1\n1\nA one\n"}, "line 3: expected a name and a count"),
        ({"people.txt": "1\n1\n../A 1\n"}, "line 3: expected a name and a count"),
        ({"peopleDevTest.txt": "1\nBo_Li\t3\n"}, "'Bo_Li' has 3 photographs, in another list 2"),
    ],
)
def test_lfw_lists_that_are_wrong(tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        read_lfw(files(tmp_path, LFW | change))


def test_vggface2_with_its_quotes_spaces_and_commas(tmp_path):
    faces = read_vggface2(files(tmp_path, VGGFACE2))
    assert faces.rows.to_pydict() == {
        "image": [f"test/{line}" for line in VGGFACE2["meta/test_list.txt"].split()],
        "subject": ["n000001", "n000009", "n000011"],
        "name": ["14th_Dalai_Lama", "Smith,_Jr.,_Ann", "Doe, Jane"],
        "gender": ["Male", "Female", "Female"],
        "split": ["test"] * 3,
    }
    with pytest.raises(InputError, match="line 1: expected a photograph of an identity"):
        read_vggface2(files(tmp_path, {"meta/test_list.txt": "n999999/1.jpg\n"}))
    with pytest.raises(InputError, match="line 2: expected Class_ID, Name"):
        read_vggface2(files(tmp_path, {"meta/identity_meta.csv": "h\nn1, A, 1, 0, x\n"}))


def test_rfw(tmp_path):
    faces = read_rfw(files(tmp_path, RFW))
    assert faces.rows["ethnicity"].to_pylist() == ["Group 2", "Group 2", "Group 1"]
    assert faces.rows["image"][0].as_py() == "African/m.0abc/m.0abc_0001.jpg"
    assert faces.missing == ("African/m.0abc/m.0abc_0002.jpg",)
    only = {name: "" for name in RFW if "data" in name}
    assert len(read_rfw(files(tmp_path / "unlisted", only))) == 2


def test_a_label_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nope\.csv: no such file"):
        read_label_file(tmp_path / "nope.csv")


def test_labels_of_your_own(tmp_path):
    text = "image,gender,age\nann/1.jpg,Female,31\n007,,40\n"
    files(tmp_path, {"labels.csv": text})
    assert read_label_file(tmp_path / "labels.csv").rows.to_pydict() == {
        "image": ["ann/1.jpg", "007"],
        "gender": ["Female", None],
        "age": [31, 40],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,gender\na,b\n", "no column 'image'.* it has 'file', 'gender'"),
        ("image,gender\na,b\na,c\n", "rows 1 and 2: 'a' is listed twice"),
        ("image,gender\n,b\n", "row 1: expected the name of a photograph"),
        ("image,gender\na,b,c\n", "cannot be read as .csv"),
        ("image,gender\n", "expected a line for each photograph"),
        ("image,gender\n../a,b\n", "row 1: expected a path below the folder"),
    ],
)
def test_labels_of_your_own_that_are_wrong(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_label_file(files(tmp_path, {"labels.csv": text}) / "labels.csv")


JPEG = b"\xff\xd8\xff\xe0 a photograph"


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("labels", [[True, False], np.array([True, False]), [np.True_, np.False_]])
@pytest.mark.parametrize("arrays", [False, True])
def test_a_bin_of_any_protocol(tmp_path, protocol, labels, arrays):
    image = np.frombuffer(JPEG, dtype=np.uint8) if arrays else JPEG
    path = tmp_path / "set.bin"
    path.write_bytes(pickle.dumps(([image] * 4, labels), protocol=protocol))
    found = read_bin(path)
    assert found.images == (JPEG,) * 4
    assert found.same.tolist() == [True, False]


def test_a_bin_written_by_python_two(tmp_path):
    # Python 2 wrote its str, which were bytes, as SHORT_BINSTRING.
    image = b"U" + bytes([len(JPEG)]) + JPEG
    path = tmp_path / "old.bin"
    path.write_bytes(b"\x80\x02](" + image * 2 + b"e](\x88e\x86.")
    assert read_bin(path).images == (JPEG, JPEG)


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (Call(os.system, "touch ran"), r"asks for '(posix|nt).system'"),
        (Call(eval, "1"), r"asks for '(builtins|__builtin__).eval'"),
        (Call(getattr, "", "join"), r"asks for '.*getattr'"),
        (Call(np.load, "x"), "asks for 'numpy"),
        (Call(np.memmap, "ran"), "asks for 'numpy"),
        (Call(np.ndarray, (10**12,)), "expected a pickle|another form"),
        (([JPEG] * 3, [True]), "two photographs for each label, found 3 for 1"),
        (([JPEG, b"MZ"], [True]), "photograph 1: expected a JPEG or PNG"),
        (([JPEG, JPEG], ["yes"]), "expected labels True or False"),
        (([], []), "two photographs for each label"),
        (7, "expected .photographs, labels., found int"),
        ({1: 2}, "another form"),
    ],
)
def test_hostile_and_foolish_bins_are_refused_and_run_nothing(tmp_path, monkeypatch, made, message):
    monkeypatch.chdir(tmp_path)
    for protocol in (2, 4):
        (tmp_path / "x.bin").write_bytes(pickle.dumps(made, protocol=protocol))
        with pytest.raises(InputError, match=message):
            read_bin(tmp_path / "x.bin")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"not a pickle",
        b"(" * 100_000 + b".",
        b"]" + b"\x8d" + struct.pack("<Q", 1 << 60) + b"ab.",  # a string of an exabyte
        b"]r\xff\xff\xff\xff.",  # a memo of four thousand million places
        b"P7\n.",  # a persistent object
        pickle.dumps(([JPEG] * 4, [True, False]))[:-20],
    ],
)
def test_damaged_bins_are_refused(tmp_path, raw):
    (tmp_path / "x.bin").write_bytes(raw)
    with pytest.raises(InputError, match=r"x\.bin"):
        read_bin(tmp_path / "x.bin")


def test_what_a_bin_asks_for_cannot_write_to_the_terminal(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"cos\x1b[2J\nsystem\n.")
    with pytest.raises(InputError, match=r"asks for 'os\\x1b\[2J\.system'"):
        read_bin(tmp_path / "x.bin")


def test_a_bin_too_large_is_not_opened(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="100 bytes, expected at most 99"):
        read_bin(tmp_path / "x.bin", max_bytes=99)


def embedded(images):
    columns = {"image": images, "split": ["a"] * len(images), "score": [0.5] * len(images)}
    return EmbeddingTable(np.eye(len(images), 4, dtype=np.float32) + 1, pa.table(columns))


def test_embeddings_get_the_labels_of_their_photographs(tmp_path):
    faces = read_fairface(files(tmp_path, FAIRFACE))
    joined = join_embeddings(faces, embedded(["val/1.jpg", "other.jpg", "train/1.jpg"]))
    assert joined.columns["gender"].to_pylist() == ["Female", "Male"]
    assert joined.columns["split"].to_pylist() == ["validation", "train"]
    assert joined.columns["score"].to_pylist() == [0.5, 0.5]
    np.testing.assert_array_equal(joined.vectors, embedded(["", "", ""]).vectors[[0, 2]])
    # File names alone decide only where the list has each once.
    with pytest.raises(InputError, match=r"such as 'train/1.jpg', found '1.jpg'"):
        join_embeddings(faces, embedded(["1.jpg"]))
    celeba = read_celeba(files(tmp_path / "celeba", CELEBA))
    assert len(join_embeddings(celeba, embedded(["deep/below/000002.jpg"]))) == 1


def test_the_command_writes_labels_and_joined_embeddings(tmp_path, capsys):
    files(tmp_path / "celeba", CELEBA)
    out = tmp_path / "labels.parquet"
    main(["dataset", "celeba", str(tmp_path / "celeba"), "--out", str(out)])
    assert "2 of 2 listed photographs" in capsys.readouterr().out
    assert pq.read_table(out)["subject"].to_pylist() == [2880, 7]
    write_table(embedded(["000002.jpg"]), tmp_path / "e.parquet")
    command = ["dataset", "celeba", str(tmp_path / "celeba"), "--out", str(tmp_path / "j.parquet")]
    main([*command, "--embeddings", str(tmp_path / "e.parquet"), "--json"])
    assert json.loads(capsys.readouterr().out)["rows"] == 1
    assert read_table(tmp_path / "j.parquet").column("gender").to_pylist() == ["Male"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("train/1.jpg", 0),
        ("/disk/fairface/val/1.jpg", 2),
        ("C:\\faces\\train\\2.jpg", 1),
        ("2.jpg", 1),
        ("1.jpg", None),  # of train or of val?
        ("test/2.jpg", 1),
        ("train/9.jpg", None),
        (None, None),
    ],
)
def test_which_listed_photograph_a_path_names(path, expected):
    listed = ["train/1.jpg", "train/2.jpg", "val/1.jpg"]
    if path in {"2.jpg", "test/2.jpg"}:
        listed = ["train/3.jpg", *listed[1:]]
    found = places_of(pa.chunked_array([[path]], pa.string()), pa.array(listed), "t")
    assert found.to_pylist() == [expected]


def test_the_command_unpacks_a_bin(tmp_path, capsys):
    (tmp_path / "s.bin").write_bytes(pickle.dumps(([JPEG, JPEG, b"\x89PNG", JPEG], [True, False])))
    main(["dataset", "bin", str(tmp_path / "s.bin"), "--out", str(tmp_path / "s")])
    names = [path.name for path in sorted((tmp_path / "s").iterdir())]
    assert names == ["000000.jpg", "000001.jpg", "000002.png", "000003.jpg", "pairs.parquet"]
    assert read_pairs(tmp_path / "s" / "pairs.parquet").right.tolist() == [1, 3]
    again = ["dataset", "bin", str(tmp_path / "s.bin"), "--out", str(tmp_path / "s")]
    assert main(again) != 0
    assert "already exists; choose another name or add --overwrite" in capsys.readouterr().err
    assert main([*again, "--overwrite"]) == 0


def of_paths(*paths):
    vectors = np.eye(len(paths), dtype=np.float32)
    return EmbeddingTable(vectors, pa.table({"image": list(paths)}), "t.parquet")


@pytest.mark.parametrize(
    ("listed", "paths"),
    [
        ("1.jpg", ("ann/1.jpg", "bob/1.jpg", "cat/1.jpg")),
        ("ann/1.jpg", ("x/ann/1.jpg", "y/ann/1.jpg")),
        ("1.jpg", ("1.jpg", "bob\\1.jpg")),
    ],
)
def test_a_listed_image_that_fits_several_photographs_labels_none(listed, paths, tmp_path):
    files(tmp_path, {"l.csv": f"image,gender\n{listed},Female\n"})
    faces = read_label_file(tmp_path / "l.csv")
    with pytest.raises(InputError, match=rf"'{listed}' fits {len(paths)} .*with their folders"):
        join_embeddings(faces, of_paths(*paths))


def test_several_faces_of_one_photograph_all_have_its_labels(tmp_path):
    files(tmp_path, {"l.csv": "image,gender\n1.jpg,Female\n2.jpg,Male\n"})
    joined = join_embeddings(
        read_label_file(tmp_path / "l.csv"), of_paths("ann/1.jpg", "ann/1.jpg", "bob/2.jpg")
    )
    assert joined.column("gender").to_pylist() == ["Female", "Female", "Male"]
