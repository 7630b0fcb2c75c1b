"""The pages for beginners, typed line by line on real data: they make the output they print.

Figures may differ by a few points: they depend on the number of threads and on the machine. Which
of two candidates of a kind is taken may depend on them too, and the forecast with it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from sensitivenets.embeddings import read_table, write_table

ROOT = Path(__file__).parents[1]
DATA = os.environ.get("SENSITIVENETS_DATA")
POINTS = 5.0
OF_THE_CANDIDATE = ("taken:", "new rows:", "groups have fewer rows")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(DATA is None, reason="SENSITIVENETS_DATA is unset: no real data"),
]


def blocks(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"```console\n(.*?)```", text, flags=re.S)


def steps(block: str) -> Iterator[tuple[list[str], list[str]]]:
    """Each command of a block, and the lines that are printed below it."""
    for part in re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.M)[1:]:
        command, *printed = part.splitlines()
        yield shlex.split(command, comments=True), printed


def run(words: list[str]) -> list[str]:
    """Do a command in a process of its own: other tests leave threads that print."""
    program, *rest = words
    if program == "python":
        typed = [str(ROOT / "docs" / "examples" / rest[0]), *rest[1:]]
    else:
        typed = ["-c", "import sys; from sensitivenets.cli import main; sys.exit(main())", *rest]
    done = subprocess.run(
        [sys.executable, *typed], check=True, timeout=900, stdout=subprocess.PIPE, text=True
    )
    return [] if program == "python" else done.stdout.splitlines()


def same(line: str, expected: str) -> bool:
    """Whether two lines say the same, with percentages that are near."""
    number = r"\d+(?:\.\d+)?(?= %)"
    if re.sub(number, "#", line).split() != re.sub(number, "#", expected).split():
        return False
    pairs = zip(re.findall(number, line), re.findall(number, expected), strict=True)
    return all(abs(float(one) - float(other)) <= POINTS for one, other in pairs)


def faces_and_labelled(data: Path, place: Path) -> None:
    faces = read_table(data / "fairface.parquet")
    write_table(read_table(data / "lfw.parquet"), place / "faces.parquet")
    write_table(faces.where("split", "fit"), place / "labelled.parquet")
    write_table(faces.where("split", "attack_test"), place / "later.parquet")


def network(data: Path, place: Path) -> None:
    shutil.copy(data / "models" / "mobilefacenet.onnx", place)


def parted(name: str, made: str, part: str, data: Path, place: Path) -> None:
    """One part of a table is labelled by somebody else, the rest is to be protected."""
    table = read_table(data / "domains" / f"{made}.parquet")
    is_known = np.array(table.column("split").to_pylist()) == part
    write_table(table.take(is_known), place / "labelled.parquet")
    write_table(table.take(~is_known), place / f"{name}.parquet")


# What a page takes for granted.
PAGES = {
    "README.md": faces_and_labelled,
    "docs/faces.md": network,
    "docs/voices.md": partial(parted, "voices", "librispeech_resemblyzer", "fit"),
    "docs/texts.md": partial(parted, "texts", "gap_wordllama", "development"),
}


@pytest.mark.parametrize("page", PAGES)
def test_what_is_typed_prints_what_is_printed(page, tmp_path, monkeypatch):
    PAGES[page](Path(DATA), tmp_path)
    monkeypatch.chdir(tmp_path)
    found = [
        (words, printed, run(words)) for block in blocks(page) for words, printed in steps(block)
    ]
    assert found
    for words, printed, lines in found:
        if printed:
            said, expected = (
                [line for line in text if not any(mark in line for mark in OF_THE_CANDIDATE)]
                for text in (lines, printed)
            )
            assert len(said) == len(expected), (words, lines)
            wrong = [pair for pair in zip(said, expected, strict=True) if not same(*pair)]
            assert not wrong, (words, wrong)
