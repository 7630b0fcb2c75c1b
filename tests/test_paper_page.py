"""docs/paper.md names every equation, figure and table, and nothing that is not there."""

import re
from pathlib import Path

import pytest

import sensitivenets
from sensitivenets.benchmark.methods import METHODS
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
