"""What an audit leaves: a table on the screen, audit.json, and a page where it can be drawn."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.output import percent, print_line, print_notice, print_table
from sensitivenets.report import save_json, to_json
from sensitivenets.report.not_tried import strongest_of
from sensitivenets.report.overview import verdict

if TYPE_CHECKING:
    from sensitivenets.audit import AttributeResult, RegressionResult
    from sensitivenets.intervals import Estimate
    from sensitivenets.report import AuditRecord, Recognition

_REPORT_NEEDS = ("jinja2", "matplotlib")


def write(result: AuditRecord, out: Path, *, save_pictures: bool = False) -> Path:
    """Write audit.json, and report.html and pictures where their libraries are installed.

    Returns
    -------
    Path
        What to open.
    """
    missing = [name for name in _REPORT_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        what = (
            "no report.html and no pictures: they need"
            if save_pictures
            else ("no report.html: it needs")
        )
        print_notice(f"{what} {' and '.join(missing)}; pip install 'sensitivenets[report]'")
        save_json(result, out / "audit.json")
        return out / "audit.json"
    from sensitivenets.report import write_report

    return write_report(result, out, save_pictures=save_pictures).html


def show(result: AuditRecord, path: Path, *, json: bool) -> None:
    """Write the result to standard output: as JSON, or as a table and what to open."""
    if json:
        print_line(to_json(result).rstrip("\n"))
        return
    print_audit(result)
    print_line(f"open: {path}")


def print_audit(result: AuditRecord) -> None:
    """Write one line for recognition and each attribute, whether they are valid, what leaks.

    What is not valid is said before the figures, not after them.
    """
    said = verdict(result)
    if not result.trustworthy:
        _print_lines(said)
    kept = result.recognition
    rows = [] if kept is None or kept.before is None else [_recognition(kept, kept.before)]
    rows += [_attribute(attribute) for attribute in result.everything]
    two = result.n_features_after is not None
    header = ["", "before", "after", "reduction", "random"] if two else ["", "table", "random"]
    print_table(header, rows if two else [[row[0], row[1], row[4]] for row in rows])
    for value in result.continuous:
        sides = {"before": value.before, "after": value.after}
        found = [f"{_continuous(side)} {when}" for when, side in sides.items() if side is not None]
        print_line(f"{value.name}: {', '.join(found)}")
    print_line(
        f"Attributes: balanced accuracy of {strongest_of(result)}, fitted on each table anew."
    )
    if kept is not None:
        print_line(f"Recognition: {kept.explanation}.")
    if result.trustworthy:
        _print_lines(said)


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        print_line(line)


def _recognition(kept: Recognition, before: Estimate) -> list[str]:
    after = None if kept.after is None else kept.after.value
    lost = _optional(kept.reduction)
    return ["recognition", percent(before.value), _optional(after), lost, percent(kept.chance)]


def _attribute(result: AttributeResult) -> list[str]:
    before = percent(result.before.strongest.balanced_accuracy)
    after = "" if result.after is None else percent(result.strongest.balanced_accuracy)
    gone = None if result.reduction is None else result.reduction.reduction
    return [result.name, before, after, _optional(gone), percent(result.chance)]


def _optional(value: float | None) -> str:
    return "" if value is None else percent(value)


def _continuous(result: RegressionResult) -> str:
    if result.strongest.r2 is None:
        return "not measured"
    return f"R2 {result.strongest.r2:.2f} ({result.strongest.attacker})"
