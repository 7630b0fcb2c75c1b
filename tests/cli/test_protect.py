"""``sensitivenets protect``: a folder that is there whole, and lines that say what is left."""

import errno
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from pyarrow.fs import FileSelector

from sensitivenets import load_model, read_table, synthetic_diveface, write_table
from sensitivenets.cli import protect
from sensitivenets.cli.protect_output import folder_made, place_to_make
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    place = tmp_path_factory.mktemp("faces")
    table = synthetic_diveface(n_subjects=450, images_per_subject=3, dim=32, random_state=0)
    write_table(table.where("split", "fit"), place / "reference.parquet")
    mine = table.where("split", "attack_train")
    write_table(mine, place / "labelled.parquet")
    columns = mine.columns.drop_columns(["gender", "ethnicity"])
    write_table(type(mine)(mine.vectors, columns), place / "mine.parquet")
    return place


@pytest.fixture
def command(faces, run, two_candidates):
    def protect(table, *more):
        arguments = ["--reference", faces / "reference.parquet", "--remove", "gender"]
        options = [*arguments, "--identity", "subject", "--quick", "--n-jobs", 1, *more]
        return run("protect", faces / table, *options)

    return protect


def test_what_it_writes_and_says(command, tmp_path):
    out = tmp_path / "protected"
    code, text, err = command("mine.parquet", "--out", out)
    assert code == 0, err
    names = {entry.name for entry in out.iterdir()}
    assert names == {"table.parquet", "model", "report", "sample.parquet"}
    lines = text.splitlines()
    assert lines[0].startswith("gender (estimated labels): ")
    assert lines[1].startswith("recognition: ")
    assert lines[2].startswith("taken: ")
    assert "it leaks least within 2 points of verification, rehearsed on the reference" in lines[2]
    assert "few rows: new rows: " in err
    assert any(line.startswith("next: labels of gender are estimates") for line in lines)
    # A table may be of voices or texts as well.
    said = (text + err).replace(str(tmp_path), "").lower()
    assert not [word for word in ("face", "photo", "portrait") if word in said]
    later = read_table(out / "table.parquet").vectors
    assert load_model(out / "model").map.n_features_out == later.shape[1]


def test_a_row_that_outweighs_the_reference_is_named(faces, run, tmp_path):
    reference = read_table(faces / "reference.parquet")
    broken = reference.vectors.copy()
    broken[77] *= 1e6
    write_table(replace(reference, vectors=broken), tmp_path / "broken.parquet")
    code, _, err = run(
        *("protect", faces / "mine.parquet", "--reference", tmp_path / "broken.parquet"),
        *("--remove", "gender", "--quick", "--n-jobs", 1, "--out", tmp_path / "protected"),
    )
    assert code == 2
    assert "rows are over 100 times as long as most (row 77: " in err
    assert err.index("over 100 times") < err.index("error: expected rows about as long as")


def test_true_labels_leave_nothing_to_label(command, tmp_path):
    out = tmp_path / "protected"
    code, text, err = command("labelled.parquet", "--out", out, "--json")
    assert code == 0, err
    assert not (out / "sample.parquet").exists()
    read = json.loads(text)["attributes"]["gender"]
    assert read["after"] < read["before"]


def test_a_folder_with_other_things_in_it_is_refused(command, tmp_path):
    (tmp_path / "mine").write_text("precious")
    code, _, err = command("mine.parquet", "--out", tmp_path)
    assert code == 2
    assert "found 'mine' in it, which would be lost" in err
    assert (tmp_path / "mine").read_text() == "precious"


def test_on_a_full_disk_the_model_is_kept_elsewhere(faces, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("sensitivenets.cli.audit_output.write", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    eraser = RoutedTransport(n_rounds=1, random_state=0)
    table = read_table(faces / "reference.parquet")
    model = eraser.fit(table.vectors, sensitive={"gender": table.column("gender")}).model_
    place = place_to_make(str(tmp_path / "protected"), overwrite=False)
    with pytest.raises(InputError, match="No space left on device; the model is kept in") as said:
        protect._write(SimpleNamespace(audit=None, model=model), place, None, print)
    kept = re.search(r"kept in (\S+): make room, and move it", str(said.value))[1]
    assert load_model(kept).method == model.method
    assert not (tmp_path / "protected").exists()


def test_the_folder_may_be_a_bucket(command, bucket):
    url, files = bucket
    code, text, err = command("labelled.parquet", "--out", url("protected"))
    assert code == 0, err
    assert text.splitlines()[-1] == "open: s3://lake/protected/report/report.html"
    names = {one.base_name for one in files.get_file_info(FileSelector("lake/protected"))}
    assert names == {"table.parquet", "model", "report"}
    assert read_table(url("protected/table.parquet")).columns.column_names[0] == "subject"
    code, _, err = command("labelled.parquet", "--out", url("protected"))
    assert code == 2
    assert "s3://lake/protected: already exists; choose another folder" in err


def test_in_a_bucket_nothing_of_a_former_run_stays(bucket):
    url, files = bucket
    for names in (("report/old.svg", "table.parquet"), ("table.parquet", "model/config.json")):
        with folder_made(place_to_make(url("made"), overwrite=True)) as folder:
            for name in names:
                (folder / name).parent.mkdir(exist_ok=True)
                (folder / name).write_text(name)
    found = files.get_file_info(FileSelector("lake/made", recursive=True))
    assert {one.path.removeprefix("lake/made/") for one in found if one.is_file} == {
        "model/config.json",
        "table.parquet",
    }
    with files.open_output_stream("lake/made/mine.txt") as stream:
        stream.write(b"precious")
    with pytest.raises(InputError, match=r"found 'mine\.txt' in it, which would be lost"):
        place_to_make(url("made"), overwrite=True)
