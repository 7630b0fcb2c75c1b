"""Results on standard output: JSON for machines, plain tables for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

# Wide enough for our tables where output goes to a file.
_WIDTH_WITHOUT_TERMINAL = 120


def print_json(value: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def print_line(text: str = "") -> None:
    """Write one line."""
    sys.stdout.write(text + "\n")


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
        table.add_row(*map(Text, row))
    width = None if sys.stdout.isatty() else _WIDTH_WITHOUT_TERMINAL
    Console(file=sys.stdout, width=width, highlight=False).print(table)


def print_notice(text: str) -> None:
    """Write one line to standard error: what is going on, no result."""
    sys.stderr.write(text + "\n")


def percent(value: float) -> str:
    """Write a fraction with one decimal: 0.1234 is ``12.3 %``."""
    return f"{100 * value:.1f} %"
