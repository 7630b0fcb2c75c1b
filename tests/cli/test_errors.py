import dataclasses
import os
import warnings

import numpy as np
import pytest

from sensitivenets.cli import app, fit
from sensitivenets.cli.help_pages import TOOLS
from sensitivenets.embeddings import location, read_table, write_table
from sensitivenets.errors import DataWarning
from sensitivenets.maps.model_folder import save_model
from sensitivenets.maps.projection import Projection


def entries(folder):
    return {entry.name for entry in folder.iterdir()}


def test_info_warns_in_one_line(run, tmp_path):
    table = read_table("table.parquet")
    write_table(table.with_vectors(table.vectors[[0, *range(119)]]), tmp_path / "t.parquet")
    code, _, err = run("info", tmp_path / "t.parquet")
    assert code == 0
    assert err.startswith(f"warning: {tmp_path / 't.parquet'}: 1 of 120 rows repeat an earlier")
    assert err.count("\n") == 1


FIT = ["fit", "table.parquet", "--out", "new"]
AUDIT = ["audit", "table.parquet", "--quick", "--out", "new"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fitt"], "fitt"),
        (["fit"], '"fit" parameter TABLE requires an argument; `sensitivenets fit --help`'),
        (["info", "table.parquet", "--colour", "red"], "--colour"),
        ([*FIT, "--remove", "gender", "--random-state", "x"], "--random-state"),
        (["info", "nowhere.parquet"], "nowhere.parquet: no such file"),
        (["info", "table.parquet", "--embedding", "vec"], "no column 'vec'; it has 'embedding'"),
        (
            [*FIT, "--remove", "gender"],
            "--method sensitivenet keeps identities or a label: name their column with",
        ),
        (
            [*FIT, "--remove", "sex", "--identity", "subject"],
            "table.parquet: no column 'sex'; its label columns are 'subject', 'gender'",
        ),
        ([*FIT, "--remove", "gender", "--identity", "who"], "table.parquet: no column 'who'"),
        (
            [*FIT, "--remove", "subject", "--identity", "subject"],
            "--remove subject: the identity is what is kept",
        ),
        (
            [*FIT, "--remove", "gender", "--identity", "subject", "--where", "gender=Male"],
            "column 'gender': expected at least two classes, found only 'Male' (60 rows)",
        ),
        (
            [*FIT, "--remove", "gender", "--identity", "subject", "--where", "split"],
            "--where: expected COLUMN=VALUE, such as split=fit, found 'split'",
        ),
        (
            [*FIT, "--remove", "gender", "--identity", "subject", "--detector-where", "split=fit"],
            "--detector-where: expected --detector with it",
        ),
        (
            [*FIT, "--remove", "gender", "--identity", "subject", "--set", "n_layers=0"],
            "n_layers",
        ),
        (["transform", "model", "table.parquet", "--out", "new.csv"], "written as .parquet"),
        (
            ["transform", "model", "table.parquet", "--out", "table.parquet"],
            "table.parquet: already exists; choose another name or add --overwrite",
        ),
        (["transform", "nowhere", "table.parquet", "--out", "new.parquet"], "nowhere: no such fo"),
        (
            ["transform", "model", "table.parquet", "--out", "table.parquet/new.parquet"],
            "cannot be made",
        ),
        (["verify", "table.parquet"], "expected pairs to compare (--pairs) or an identity column"),
        (
            ["verify", "table.parquet", "--identity", "subject", "--protocol", "view2"],
            "add --pairs",
        ),
        (
            ["verify", "table.parquet", "--pairs", "pairs.parquet", "--protocol", "view3"],
            "--protocol: expected view1 or view2, found 'view3'",
        ),
        (["verify", "table.parquet", "--pairs", "named.parquet"], "holds the protocols 'other'"),
        (["verify", "table.parquet", "--pairs", "table.parquet"], "no column 'left'"),
        (AUDIT, "expected something to attack: --attribute or --continuous"),
        ([*AUDIT, "--continuous", "age"], "--quick: --continuous, --model and --subgroup need"),
        ([*AUDIT, "--attribute", "sex"], "no column 'sex'"),
        (
            [*AUDIT, "--attribute", "gender", "--train", "split=fit"],
            "expected --train and --test together",
        ),
        (
            [*AUDIT, "--attribute", "gender", "--train", "split=fit", "--test", "gender=Male"],
            "--test: expected the column 'split' as in --train, found 'gender'",
        ),
        (
            ["audit", "table.parquet", "--attribute", "gender", "--out", "new", "--model", "model"],
            "--model: expected the table after the map too",
        ),
        (
            ["audit", "table.parquet", "--attribute", "gender", "--out", "table.parquet"],
            "table.parquet: expected a folder for the report, found a file",
        ),
        (
            ["audit", "table.parquet", "--continuous", "gender", "--out", "new"],
            "column 'gender': expected numbers, found string",
        ),
        (
            [*AUDIT, "--attribute", "gender", "--verification-before", "pairs.parquet"],
            "pairs.parquet: expected what `sensitivenets verify --json` writes",
        ),
        (["demo", "--out", "table.parquet"], "table.parquet: expected a folder to make"),
        (["demo", "--out", "new", "--n-subjects", "3"], "n_subjects: expected at least 6, found 3"),
    ],
)
def test_an_error_is_one_line_exit_2_and_nothing_is_written(run, place, folder, arguments, message):
    before = entries(place)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith(("error: ", "0/3 ", "warning: "))
    assert err.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in err
    assert entries(place) == before


def test_a_model_of_another_network_is_refused(run, model, tmp_path):
    save_model(model, tmp_path / "m")
    code, _, err = run(
        "transform", tmp_path / "m", "table.parquet", "--out", tmp_path / "a.parquet"
    )
    assert code == 2
    assert "table.parquet: expected embeddings of 4 features as" in err
    assert entries(tmp_path) == {"m"}


def test_an_output_that_is_zero_is_not_written(run, model, tmp_path):
    zero = Projection(np.zeros((64, 2), dtype=np.float32))
    save_model(dataclasses.replace(model, map=zero), tmp_path / "m")
    code, _, err = run(
        "transform", tmp_path / "m", "table.parquet", "--out", tmp_path / "a.parquet"
    )
    assert code == 2
    assert "what it makes of table.parquet, row 0: zero vector" in err
    assert entries(tmp_path) == {"m"}


def test_fit_without_torch_says_how_to_get_it(run, monkeypatch):
    monkeypatch.setattr(fit.importlib.util, "find_spec", lambda name: None)
    code, _, err = run(*FIT, "--remove", "gender", "--identity", "subject")
    assert code == 2
    assert err == "error: fitting needs torch: pip install 'sensitivenets[train]'\n"


def fails_with(error):
    def info() -> None:
        raise error

    return info


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (OSError(28, "No space left on device", "a.parquet"), 2, "a.parquet: No space left on dev"),
        (MemoryError("Unable to allocate 9 TiB"), 2, "out of memory: Unable to allocate 9 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_what_the_machine_refuses_is_one_line(run, monkeypatch, error, code, line):
    monkeypatch.setattr(app, "_COMMANDS", {TOOLS: (fails_with(error),)})
    found, _, err = run("info")
    assert found == code
    assert err.startswith(f"error: {line}")
    assert err.count("\n") == 1


def test_a_bug_shows_its_traceback(run, monkeypatch):
    monkeypatch.setattr(app, "_COMMANDS", {TOOLS: (fails_with(ZeroDivisionError("bug")),)})
    with pytest.raises(ZeroDivisionError):
        run("info")


def test_warnings_are_one_line_and_the_hook_is_put_back(run, monkeypatch):
    def info() -> None:
        warnings.warn("two\nlines", DataWarning, stacklevel=1)

    monkeypatch.setattr(app, "_COMMANDS", {TOOLS: (info,)})
    hook = warnings.showwarning
    assert run("info") == (0, "", "warning: two lines\n")
    assert warnings.showwarning is hook


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["key", "new", "/"], "/: already exists"),
        (
            [*FIT, "--remove", "gender", "--random-state", "-5"],
            "expected 0 to 4294967295, found -5",
        ),
        (
            ["verify", "table.parquet", "--identity", "subject", "--random-state", str(2**32)],
            "--random-state: expected 0 to 4294967295, found 4294967296",
        ),
        (
            ["annotate", "table.parquet", "--attribute", "../../x", "--class", "a"],
            "--attribute ../../x: no name of a file beside the table; name one with --labels",
        ),
        (
            ["embed", ".", "--aligned", "--model", "m", "--out", "o.parquet", "--min-score", "nan"],
            "--min-score: expected a number at least 0 and at most 1; found nan",
        ),
        (
            ["export", "model", "--fuse", "notes.json", "--out", "new.onnx"],
            "notes.json: expected an ONNX model",
        ),
    ],
)
def test_what_a_fuzz_or_a_person_found(run, folder, place, arguments, message):
    (place / "notes.json").write_text('{"library": 5}')
    code, _, err = run(*arguments)
    assert (code, message in err) == (2, True), err
    assert "Traceback" not in err


def test_a_folder_with_a_name_that_is_no_utf8(run, tmp_path):
    (tmp_path / os.fsdecode(b"a\xff.parquet")).touch()
    code, _, err = run("verify", tmp_path, "--identity", "subject")
    assert (code, "the name of a file in it is no UTF-8; rename it" in err) == (2, True)
    code, _, err = run("info", os.fsdecode(b"a\xff.parquet"))
    assert (code, "a\\udcff.parquet: the name is no UTF-8; rename the file" in err) == (2, True)


def test_a_whole_disk_is_no_table(run, tmp_path, monkeypatch):
    monkeypatch.setattr(location, "_MOST_FILES", 5)
    for k in range(6):
        (tmp_path / f"{k}.parquet").touch()
    code, _, err = run("verify", tmp_path, "--identity", "subject")
    assert (code, "more than 5 files are below it; name the folder of one table" in err) == (
        2,
        True,
    )
