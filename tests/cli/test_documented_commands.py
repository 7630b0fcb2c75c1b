"""Every command line that is printed for people to type: understood, and cheap ones run."""

import dataclasses
import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.cli import main
from sensitivenets.cli.app import make_app
from sensitivenets.cli.help_pages import EXAMPLES
from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import write_table

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PRINTING = [
    file
    for folder, ending in (("src", "py"), ("src", "j2"), ("experiments", "py"), ("docs", "py"))
    for file in sorted((ROOT / folder).rglob(f"*.{ending}"))
]
APP = make_app()
COMMANDS = [name for name in APP if not name.startswith("-")]
# What a run of a documented line leaves out, to be done in a moment.
SMALLER = {
    "fit": ("n_layers=1", "n_units=16", "n_epochs=1", "n_triplets=200"),
    "audit": ("--quick", "--no-curves", "--n-jobs", "1"),
    "fairness": ("--n-seeds", "2"),
}
TABLES = ("table", "labelled", "faces", "later", "probes")


def typed(page):
    """The lines of a page that begin with ``sensitivenets``, after a prompt or none."""
    text = page.read_text().replace("\\\n", " ")
    found = re.findall(r"^\s*(?:\$ )?sensitivenets (\S.*)$", text, flags=re.MULTILINE)
    return [shlex.split(line, comments=True) for line in found]


def mentioned(page):
    """Commands with options within a text, such as `audit --apart 0.6`, and within code."""
    names = "|".join(COMMANDS)
    text = re.sub(r'"\s*\n\s*f?"', "", page.read_text())
    marked = rf"`(?:sensitivenets )?((?:{names})\b[^`\n]*)`"
    said = rf"\bsensitivenets ((?:{names})\b[^`\n\",;]*)"
    return [m.split() for m in re.findall(marked, text) + re.findall(said, text)]


LINES = [(page, words) for page in PAGES for words in typed(page)]
MENTIONS = [(page, words) for page in (*PAGES, *PRINTING) for words in mentioned(page)]


def options_of(words):
    """The options of a command, or of the command below it that is named too."""
    app = APP
    while words and words[0] in app:
        app, words = app[words[0]], words[1:]
    if app.default_command is None:
        return {"--help"}
    return {name for one in app.assemble_argument_collection() for name in one.names} | {"--help"}


def parse(words):
    APP.parse_args(words, exit_on_error=False, print_error=False)


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """An empty folder to be in: options look at what is there."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "words", [words for _, words in LINES], ids=[page.name for page, _ in LINES]
)
def test_what_a_page_prints_is_understood(elsewhere, words):
    parse(words)


@pytest.mark.parametrize("command", EXAMPLES)
def test_the_examples_of_help_are_understood_and_are_of_their_command(elsewhere, command):
    for line in EXAMPLES[command]:
        words = shlex.split(line)
        assert line.startswith(command)
        parse(words)


def test_every_command_has_examples():
    below = [f"{name} {sub}" for name in COMMANDS for sub in APP[name] if not sub.startswith("-")]
    assert {*COMMANDS, *below} == set(EXAMPLES)


def test_no_text_names_an_option_that_is_none():
    wrong = {
        (page.name, " ".join(words), option)
        for page, words in MENTIONS
        for option in re.findall(r"--[a-z][a-z0-9-]*", " ".join(words))
        if option not in options_of(words)
    }
    assert not wrong
    # Enough was looked at for this to mean something.
    assert len(LINES) > 25
    assert len(MENTIONS) > 50


@pytest.fixture
def world(tmp_path):
    """A folder with the tables that the pages speak of, all small."""
    table = synthetic_diveface(120, 2, dim=32)
    smiling = np.where(np.arange(len(table)) // 2 % 4 < 2, "yes", "no")
    camera = np.where(np.arange(len(table)) % 2, "left", "right")
    columns = table.columns.append_column("smiling", pa.array(smiling))
    columns = columns.append_column("camera", pa.array(camera))
    for name in TABLES:
        write_table(dataclasses.replace(table, columns=columns), tmp_path / f"{name}.parquet")
    return tmp_path


@pytest.mark.parametrize(
    ("page", "runs"),
    [
        ("README.md", ("protect", "transform")),
        ("docs/codes.md", ("key", "encode", "verify")),
        ("docs/adapt.md", ("fit", "adapt", "transform")),
    ],
)
def test_what_a_page_prints_works_from_line_to_line(world, monkeypatch, capsys, page, runs):
    monkeypatch.chdir(world)
    ran = set()
    for words in typed(ROOT / page):
        begins = [run for run in runs if " ".join(words).startswith(run)]
        if begins:
            assert main([*words, *smaller(words)]) == 0, capsys.readouterr().err
            ran |= set(begins)
    assert ran == set(runs)


def smaller(words):
    more = SMALLER.get(words[0], ())
    if words[0] == "fit":
        return [] if "--method" in words else [w for s in more for w in ("--set", s)]
    return more
