"""docs/paper.md names every equation, figure and table, and nothing that is not there."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import sensitivenets
from sensitivenets import synthetic_diveface, write_table
from sensitivenets.benchmark.methods import METHODS
from sensitivenets.cli import main
from sensitivenets.faces.network import PRESETS

ROOT = Path(__file__).parents[1]
PACKAGE = Path(sensitivenets.__file__).parent
PAGE = (ROOT / "docs/paper.md").read_text(encoding="utf-8")
SECTIONS = (*(f"Eq. {k}" for k in range(1, 7)), *(f"Fig. {k}" for k in range(1, 5)))


@pytest.mark.parametrize("what", [*SECTIONS, "Table I", "Table II", "Table III", "Section 3"])
def test_nothing_of_the_paper_is_left_out(what):
    assert re.search(rf"^\| {re.escape(what)}[ ,|]", PAGE, re.MULTILINE)


@pytest.mark.parametrize("reference", [3, 4, 6, 8, 9, 10, 11, 15, 16, 17, 18, 19, 39, 40])
def test_every_system_of_the_paper_has_a_row(reference):
    assert re.search(rf"^\|[^|]*\[{reference}\]", PAGE, re.MULTILINE)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([\w/]+\.py)`", PAGE))))
def test_every_file_that_is_named_is_there(path):
    assert (PACKAGE / path).is_file()


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"python (experiments/\w+\.py)|\]\(([\w/.-]+)\)", PAGE)))
)
def test_every_experiment_and_page_that_is_named_is_there(path):
    script, page = path
    assert (ROOT / script).is_file() if script else (ROOT / "docs" / page).is_file()


def test_every_row_has_a_command_or_says_why_not():
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if line.startswith("| ")]
    of_the_paper = [row for row in rows if len(row) == 5 and row[0].strip() != "paper"]
    assert len(of_the_paper) > 20
    for name, _, command, *_ in of_the_paper:
        # The picture of the framework has nothing to run.
        assert re.search(r"`|the same|cannot run", command) or name.strip().startswith("Fig. 1")


def test_methods_and_networks_that_are_named_exist():
    for method in ("laftr", *re.findall(r"`--method (\w+)`", PAGE)):
        assert method in METHODS
    assert set(re.findall(r"--network (\w+)", PAGE)) <= set(PRESETS)


# What a run of a row leaves out, to be done in a moment; the settings of the row stay.
SMALLER = ["n_layers=1", "n_units=16", "n_epochs=1", "n_triplets=200"]
SHORTER = {"laftr": ["n_epochs=1"], "identity_span": []}
COMMANDS = re.findall(r"`sensitivenets (fit[^`]*|audit[^`]*)`", PAGE)
SETTINGS = [*re.findall(r"the same, `(--set [^`]+)`", PAGE), "--set loss=triplet"]


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Be where a table of one's own is, and another of the same rows."""
    table = synthetic_diveface(120, 2, dim=32)
    smiling = pa.array(np.where(np.arange(len(table)) // 2 % 4 < 2, "yes", "no"))
    table = replace(table, columns=table.columns.append_column("smiling", smiling))
    for name in ("X.parquet", "agnostic.parquet"):
        write_table(table, tmp_path / name)
    monkeypatch.chdir(tmp_path)


def words_of(command):
    named = {"X": "X.parquet", "agnostic": "agnostic.parquet"}
    return [named.get(word, word) for word in command.split()]


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(set(COMMANDS)))
def test_every_command_of_a_row_runs(tables, capsys, command):
    words = words_of(command)
    if words[0] == "audit":
        more = ["--quick", "--no-curves", "--n-jobs", "1"]
    else:
        method = "identity_span" if "--task" in words else "sensitivenet"
        method = words[words.index("--method") + 1] if "--method" in words else method
        sizes = SHORTER.get(method, SMALLER)
        more = [word for size in sizes for word in ("--set", size)]
    assert main([*words, *more]) == 0, capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("settings", SETTINGS)
def test_every_setting_of_a_row_runs(tables, capsys, settings):
    asked = [word for word in settings.split() if word != "--set"]
    # Of two values for one name the last counts: the small sizes come first, but for triplets.
    sizes = [size for size in SMALLER if size.split("=")[0] not in {a.split("=")[0] for a in asked}]
    words = ["fit", "X.parquet", "--identity", "subject", "--remove", "gender", "--out", "model"]
    more = [word for one in [*sizes, *asked] for word in ("--set", one)]
    assert main([*words, *more]) == 0, capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(set(re.findall(r"python (experiments/\w+\.py)", PAGE))))
def test_every_experiment_can_be_started(path):
    # Up to where it would read data: imports, and its options.
    done = subprocess.run(
        [sys.executable, ROOT / path, "--help"],
        env={**os.environ, "SENSITIVENETS_DATA": "nowhere"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for option in re.findall(rf"`python {path} (--[a-z]+)", PAGE):
        assert option in done.stdout
