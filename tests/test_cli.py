import dataclasses
import inspect
import json
import os
import re
import signal
import subprocess
import sys
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets import __version__
from sensitivenets.audit import Split
from sensitivenets.cli import app, fit, main
from sensitivenets.cli.audit_files import draw_maps, provenance
from sensitivenets.cli.audit_inputs import Tables, measure_verification, split_of
from sensitivenets.cli.audit_options import AuditOptions
from sensitivenets.cli.training_options import TrainingOptions
from sensitivenets.datasets import draw_pairs, synthetic_diveface
from sensitivenets.embedding_files import read_table, write_table
from sensitivenets.errors import DataWarning
from sensitivenets.model_folder import load_model, save_model
from sensitivenets.projection import Projection

SMALL = ["--n-layers", "1", "--n-units", "16", "--n-epochs", "1", "--n-triplets", "200"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a table, pairs, and a model that keeps the first 32 of 64 features."""
    place = tmp_path_factory.mktemp("place")
    table = synthetic_diveface(60, 2, dim=64)
    write_table(table, place / "table.parquet")
    pairs = draw_pairs(table.labels("subject"), 100, 2)
    columns = {name: getattr(pairs, name) for name in ("left", "right", "same", "fold")}
    pq.write_table(pa.table(columns), place / "pairs.parquet")
    names = ["view2" if k % 5 else "other" for k in range(len(pairs))]
    named = pa.table(columns | {"protocol": names})
    pq.write_table(named, place / "named.parquet")
    return place


@pytest.fixture
def folder(place, model):
    path = place / "model"
    if not path.exists():
        half = Projection(np.eye(64, 32, dtype=np.float32))
        save_model(dataclasses.replace(model, map=half), path)
    return path


@pytest.fixture
def run(capsys, monkeypatch, place):
    """Run a command in the folder; give its exit code, standard output and standard error."""
    monkeypatch.chdir(place)
    monkeypatch.setattr(signal, "signal", lambda *args: None)

    def run_command(*arguments):
        code = main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_command


def entries(folder):
    return {entry.name for entry in folder.iterdir()}


# Commands


def test_help_lists_the_commands(run):
    code, out, _ = run("--help")
    assert code == 0
    for command in ("demo", "fit", "transform", "verify", "audit", "info"):
        assert f"│ {command} " in out


@pytest.mark.parametrize("command", ["demo", "fit", "transform", "verify", "audit", "info"])
def test_every_option_has_a_help_text(run, command):
    code, out, _ = run(command, "--help")
    assert code == 0
    # An option without a text has nothing between its type or default and the border.
    lines = [line for line in out.splitlines() if re.match(r"│( \*)? +--", line)]
    assert len(lines) >= 2
    assert all(len(line.split("--", 1)[1].split()) > 2 for line in lines)


def test_version(run):
    assert run("--version") == (0, f"{__version__}\n", "")


def test_fit_transform_and_info(run, tmp_path):
    out = tmp_path / "m"
    code, printed, _ = run(
        *("fit", "table.parquet", "--identity", "subject", "--where", "split=fit", *SMALL),
        *("--remove", "gender", "--remove", "ethnicity", "--random-state", "3", "--out", out),
    )
    assert code == 0
    assert "gender: the last linear detector reads" in printed
    assert printed.splitlines()[-1].startswith("next: sensitivenets transform")
    model = load_model(out)
    assert model.removed == {
        "gender": ("Female", "Male"),
        "ethnicity": ("Group 1", "Group 2", "Group 3"),
    }
    assert model.parameters["random_state"] == 3
    assert model.fingerprint["primary"]["rows"] == 60

    code, printed, err = run("transform", out, "table.parquet", "--out", tmp_path / "a.parquet")
    assert (code, err) == (0, "")
    assert printed == f"120 rows of 16 features: {tmp_path / 'a.parquet'}\n"
    before, after = read_table("table.parquet"), read_table(tmp_path / "a.parquet")
    np.testing.assert_array_equal(after.vectors, model.map(before.vectors))
    assert after.columns.equals(before.columns)

    code, printed, _ = run("info", out)
    assert code == 0
    assert "SensitiveNet: 64 features to 16 (projection)" in printed
    assert "Group 1, Group 2, Group 3" in printed


def test_fit_says_what_it_did_as_json(run, tmp_path):
    code, printed, _ = run(
        *("fit", "table.parquet", "--identity", "subject", "--remove", "gender", *SMALL),
        *("--out", tmp_path / "m", "--json"),
    )
    assert code == 0
    summary = json.loads(printed)
    assert summary["removed"] == {"gender": ["Female", "Male"]}
    assert summary["last_epoch"]["layer"] == 1


def test_fit_with_detectors_from_another_table(run, tmp_path):
    bare = read_table("table.parquet")
    bare = dataclasses.replace(bare, columns=bare.columns.select(["subject"]))
    write_table(bare, tmp_path / "bare.parquet")
    code, _, _ = run(
        *("fit", tmp_path / "bare.parquet", "--identity", "subject", "--remove", "gender"),
        *("--detector", "table.parquet", "--detector-where", "split=attack_train"),
        *(*SMALL, "--out", tmp_path / "m"),
    )
    assert code == 0
    assert load_model(tmp_path / "m").fingerprint["detector"]["rows"] == 36


def test_fit_for_a_label(run, tmp_path):
    code, _, _ = run(
        *("fit", "table.parquet", "--task", "ethnicity", "--loss", "cross_entropy", *SMALL),
        *("--remove", "gender", "--out", tmp_path / "m"),
    )
    assert code == 0
    assert load_model(tmp_path / "m").parameters["loss"] == "cross_entropy"


def test_fit_defaults_are_the_estimators():
    from sensitivenets.sensitivenet import SensitiveNet

    theirs = inspect.signature(SensitiveNet).parameters
    ours = dataclasses.asdict(TrainingOptions())
    assert ours.pop("random_state") == 0
    assert ours == {name: theirs[name].default for name in ours}


def test_verify_all_pairs(run):
    code, printed, _ = run("verify", "table.parquet", "--identity", "subject", "--json")
    result = json.loads(printed)
    assert code == 0
    assert (result["protocol"], result["n_genuine"]) == ("all pairs", 60)


@pytest.mark.parametrize(
    ("options", "protocol", "n_genuine"),
    [
        (["--pairs", "pairs.parquet"], "view2", 50),
        (["--pairs", "pairs.parquet", "--protocol", "view1"], "view1", 50),
        (["--pairs", "named.parquet", "--protocol", "view2"], "view2", None),
    ],
)
def test_verify_pairs(run, options, protocol, n_genuine):
    code, printed, _ = run("verify", "table.parquet", *options, "--json")
    assert code == 0
    result = json.loads(printed)
    assert result["protocol"] == protocol
    assert n_genuine is None or result["n_genuine"] == n_genuine


def test_verify_prints_rates_refusals_and_groups(run):
    code, printed, err = run(
        *("verify", "table.parquet", "--pairs", "pairs.parquet"),
        *("--identity", "subject", "--group", "gender"),
    )
    assert (code, err) == (0, "")
    assert "accuracy" in printed
    assert "refused: FMR 0.001 is below the resolution of" in printed


def test_audit_of_two_tables(run, folder, tmp_path):
    run("transform", folder, "table.parquet", "--out", tmp_path / "after.parquet")
    code, printed, _ = run(
        *("audit", "table.parquet", tmp_path / "after.parquet", "--quick", "--joint"),
        *("--attribute", "gender", "--attribute", "ethnicity", "--identity", "subject"),
        *("--train", "split=fit", "--test", "split=attack_train", "--n-jobs", "1"),
        *("--out", tmp_path / "report"),
    )
    assert code == 0
    lines = printed.splitlines()
    assert lines[0].split() == ["before", "after", "reduction", "random"]
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        "recognition",
        "gender",
        "ethnicity",
        "gender x ethnicity",
    ]
    assert lines[-1] == f"open: {tmp_path / 'report' / 'report.html'}"
    audit = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert audit["provenance"]["before"]["file"] == "table.parquet"
    assert audit["verification"]["after"]["n_subjects"] == audit["split"]["n_test_identities"]
    assert (audit["split"]["n_train"], audit["split"]["n_test"]) == (60, 36)


def test_audit_of_one_table_as_json(run, tmp_path):
    code, printed, _ = run(
        *("audit", "table.parquet", "--quick", "--attribute", "gender", "--n-jobs", "1"),
        *("--out", tmp_path / "report", "--json"),
    )
    assert code == 0
    assert json.loads(printed) == json.loads((tmp_path / "report" / "audit.json").read_text())
    assert json.loads(printed)["n_features_after"] is None


def test_the_whole_audit_of_a_number(run, folder, tmp_path):
    table = read_table("table.parquet")
    age = pa.array([None, *(30 + 10 * table.vectors[1:, 0])])
    aged = dataclasses.replace(table, columns=table.columns.append_column("age", age))
    write_table(aged, tmp_path / "t.parquet")
    run("transform", folder, tmp_path / "t.parquet", "--out", tmp_path / "a.parquet")
    code, printed, _ = run(
        *("audit", tmp_path / "t.parquet", tmp_path / "a.parquet", "--continuous", "age"),
        *("--no-curves", "--n-jobs", "1", "--out", tmp_path / "report"),
    )
    assert code == 0
    assert re.search(r"age: R2 \d\.\d\d \(.+\) before, R2 \d\.\d\d \(.+\) after", printed)
    audit = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert (audit["mode"], audit["verification"]) == ("full", {})
    (number,) = audit["continuous"]
    assert number["n_train"] + number["n_test"] == 119


def test_the_whole_audit_draws_the_test_rows_and_says_what_it_looked_at(run, folder, place):
    table = read_table("table.parquet")
    tables = Tables(table, table.with_vectors(load_model(folder).map(table.vectors)), None)
    options = AuditOptions(out=place / "report", attribute=["gender"])
    maps = draw_maps(tables, split_of(tables, "split=fit", "split=attack_train", 0), options)
    assert len(maps["before"]) == len(maps["after"]) == 36
    audited = provenance(tables, folder)
    assert audited["after"]["features"] == 32
    assert audited["model"]["removed"] == "gender, ethnicity"


def test_what_cannot_be_measured_beside_an_audit_is_said(run, folder, capsys):
    # One row of each of nine subjects: no genuine pair, and too few points for a map.
    table = read_table("table.parquet").take(np.arange(0, 60, 2))
    tables = Tables(table, None, table.labels("subject"))
    split = Split(np.arange(21), np.arange(21, 30), tables.subject)
    assert measure_verification(tables, split, 0) == {}
    options = AuditOptions(out=folder, attribute=["gender"])
    assert draw_maps(tables, split, options) == {}
    err = capsys.readouterr().err
    assert "verification: not measured, identity 'subject': expected a subject with two" in err
    assert "maps: not drawn, expected at least 10 rows with a label of gender, found 9" in err


def test_audit_without_the_report_libraries_writes_the_json(run, tmp_path, monkeypatch):
    from importlib import util

    find_spec = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda n: None if n == "jinja2" else find_spec(n))
    code, printed, err = run(
        *("audit", "table.parquet", "--quick", "--attribute", "gender", "--n-jobs", "1"),
        *("--out", tmp_path / "report"),
    )
    assert code == 0
    assert "no report.html: it needs jinja2; pip install 'sensitivenets[report]'" in err
    assert entries(tmp_path / "report") == {"audit.json"}
    assert printed.splitlines()[0].split() == ["table", "random"]


def test_info_of_a_table(run):
    code, printed, err = run("info", "table.parquet")
    assert (code, err) == (0, "")
    assert "120 rows of 64 features, length 1 to 1" in printed
    assert "Female (60), Male (60)" in printed
    facts = json.loads(run("info", "table.parquet", "--json")[1])
    assert facts["columns"]["ethnicity"]["distinct"] == 3


def test_info_warns_in_one_line(run, tmp_path):
    table = read_table("table.parquet")
    write_table(table.with_vectors(table.vectors[[0, *range(119)]]), tmp_path / "t.parquet")
    code, _, err = run("info", tmp_path / "t.parquet")
    assert code == 0
    assert err.startswith(f"warning: {tmp_path / 't.parquet'}: 1 of 120 rows repeat an earlier")
    assert err.count("\n") == 1


def test_demo_ends_with_the_table_and_what_to_open_and_runs_twice(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules["sensitivenets.cli.demo"], "_N_TRIPLETS", 100)
    command = ("demo", "--out", tmp_path / "d", "--n-subjects", "60", "--n-jobs", "1")
    code, printed, _ = run(*command)
    assert code == 0
    lines = printed.splitlines()
    assert lines[1].split() == ["before", "after", "reduction", "random"]
    assert [line.split()[0] for line in lines[2:5]] == ["recognition", "gender", "ethnicity"]
    assert lines[-1] == f"open: {tmp_path / 'd' / 'report' / 'report.html'}"
    assert entries(tmp_path / "d") == {"table.parquet", "model", "agnostic.parquet", "report"}
    card = (tmp_path / "d" / "model" / "README.md").read_text()
    assert "less of: gender, ethnicity" in card
    first = (tmp_path / "d" / "agnostic.parquet").read_bytes()
    assert run(*command)[0] == 0
    assert (tmp_path / "d" / "agnostic.parquet").read_bytes() == first


# Errors


FIT = ["fit", "table.parquet", "--out", "new"]
AUDIT = ["audit", "table.parquet", "--quick", "--out", "new"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fitt"], "fitt"),
        (["fit"], '"fit" parameter TABLE requires an argument; `sensitivenets fit --help`'),
        (["info", "table.parquet", "--colour", "red"], "--colour"),
        ([*FIT, "--remove", "gender", "--n-layers", "x"], "--n-layers"),
        (["info", "nowhere.parquet"], "nowhere.parquet: no such file"),
        (["info", "table.parquet", "--embedding", "vec"], "no column 'vec'; it has 'embedding'"),
        ([*FIT, "--remove", "gender"], "--loss triplet keeps identities: name their column with"),
        (
            [*FIT, "--remove", "gender", "--loss", "bce"],
            "--loss bce keeps a label: name its column with --task",
        ),
        (
            [*FIT, "--remove", "gender", "--identity", "subject", "--task", "split"],
            "--task: --loss triplet keeps identities",
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
            [*FIT, "--remove", "gender", "--identity", "subject", "--n-layers", "0"],
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
        ([*AUDIT, "--continuous", "age"], "--quick: --continuous and --model need the whole audit"),
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
            "pairs.parquet: expected what `verify --json` writes",
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
    assert err.startswith(("error: ", "1/4 ", "warning: "))
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


def test_tables_of_other_rows_are_not_compared(run, tmp_path):
    table = read_table("table.parquet")
    write_table(table.take(np.arange(119)), tmp_path / "short.parquet")
    write_table(table.take(np.arange(120)[::-1].copy()), tmp_path / "reversed.parquet")
    audit = ("audit", "table.parquet", "--attribute", "ethnicity", "--out", tmp_path / "r")
    short = run(*audit[:2], tmp_path / "short.parquet", *audit[2:])
    assert short[0] == 2
    assert "short.parquet: expected 120 rows as in table.parquet, found 119" in short[2]
    shuffled = run(*audit[:2], tmp_path / "reversed.parquet", *audit[2:])
    assert shuffled[0] == 2
    assert "reversed.parquet, row 0: 'ethnicity' is 'Group 3', but 'Group 1' in" in shuffled[2]


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
    monkeypatch.setattr(app, "_COMMANDS", (fails_with(error),))
    found, _, err = run("info")
    assert found == code
    assert err.startswith(f"error: {line}")
    assert err.count("\n") == 1


def test_a_bug_shows_its_traceback(run, monkeypatch):
    monkeypatch.setattr(app, "_COMMANDS", (fails_with(ZeroDivisionError("bug")),))
    with pytest.raises(ZeroDivisionError):
        run("info")


def test_warnings_are_one_line_and_the_hook_is_put_back(run, monkeypatch):
    def info() -> None:
        warnings.warn("two\nlines", DataWarning, stacklevel=1)

    monkeypatch.setattr(app, "_COMMANDS", (info,))
    hook = warnings.showwarning
    assert run("info") == (0, "", "warning: two lines\n")
    assert warnings.showwarning is hook


# Signals and pipes, in a process of their own


def start(arguments, **options):
    # A shell that starts us in the background may have told us to ignore SIGINT.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from sensitivenets.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], **options)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_work_and_leaves_nothing_half_written(tmp_path, number, code):
    # A pipe that nobody feeds: reading the table blocks until the signal comes.
    os.mkfifo(tmp_path / "verification.json")
    write_table(synthetic_diveface(12, 2, dim=32), tmp_path / "t.parquet")
    arguments = ["audit", tmp_path / "t.parquet", "--attribute", "gender", "--out", tmp_path / "r"]
    process = start(
        [*arguments, "--quick", "--verification-before", tmp_path / "verification.json"],
        stderr=subprocess.PIPE,
        text=True,
    )
    # Opening the other end returns once the command has opened its own.
    with (tmp_path / "verification.json").open("w"):
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert entries(tmp_path) == {"t.parquet", "verification.json"}


def test_a_reader_that_stops_early_is_no_error(place):
    process = start(
        ["info", place / "table.parquet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0
