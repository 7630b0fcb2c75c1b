"""Results on standard output: JSON for machines, plain tables for people."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Controls of a terminal, marks that turn the direction of text, halves of characters.
_UNSHOWN = re.compile(
    r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Wide enough for our tables where output goes to a file.
_WIDTH_WITHOUT_TERMINAL = 120


def print_json(value: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def print_line(text: str = "") -> None:
    """Write a line, or several."""
    sys.stdout.write(plain(text) + "\n")


def plain(text: str) -> str:
    """Return text that a terminal only shows: what a file's name may command it is written out."""
    return _UNSHOWN.sub(lambda found: ascii(found[0])[1:-1], text)


def open_streams() -> None:
    """Make standard output and error take any text, whatever the terminal, or nobody, reads."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started us.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True
) -> None:
    """Write a table; all columns but the first are right-aligned if they hold numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for k, name in enumerate(header):
        table.add_column(name, justify="right" if k and numbers else "left")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def print_notice(text: str) -> None:
    """Write one line to standard error: what is going on, no result."""
    sys.stderr.write(plain(text) + "\n")


def percent(value: float) -> str:
    """Write a fraction with one decimal: 0.1234 is ``12.3 %``."""
    return f"{100 * value:.1f} %"
