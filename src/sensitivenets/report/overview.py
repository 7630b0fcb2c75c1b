"""An audit on one screen: as text for a terminal, as a table for a notebook, as a data frame."""

from __future__ import annotations

import importlib.util
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from sensitivenets.audit.results import AttributeResult, ContinuousResult, RegressionResult
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.report.not_tried import QUICK, strongest_of
from sensitivenets.report.record import AuditRecord
from sensitivenets.report.verdict import verdict_of

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINES = 20
_NAME_WIDTH = 28
_WIDTH = 96


@dataclass(frozen=True)
class OverviewRow:
    """One line: what can be read, or what was kept.

    Attributes
    ----------
    name : str
        "recognition", or the attribute.
    measure : str
        What the figures are: ``"balanced accuracy"``, ``"R2"``, ``"verification accuracy"``.
    attacker : str
        Who was strongest at last; empty for recognition.
    before, after : Estimate or None
        On the two tables.
    reduction, reduction_low, reduction_high : float or None
        (before - after) / (before - chance) and its 95 % interval.
    chance : float
        What a guess reaches.
    trustworthy : bool
        Whether the controls of this line hold.
    """

    name: str
    measure: str
    attacker: str
    before: Estimate | None
    after: Estimate | None
    reduction: float | None
    reduction_low: float | None
    reduction_high: float | None
    chance: float
    trustworthy: bool


def overview_rows(audit: AuditRecord) -> list[OverviewRow]:
    """List recognition, where it was measured, and every attribute."""
    kept = audit.recognition
    rows = []
    if kept is not None:
        lost = kept.reduction
        sides = (kept.before, kept.after)
        rows.append(OverviewRow("recognition", kept.name, "", *sides, lost, None, None, 0.5, True))
    rows += [_attribute(attribute) for attribute in audit.everything]
    return rows + [_continuous(value) for value in audit.continuous]


def _attribute(result: AttributeResult) -> OverviewRow:
    tops = [result.before.strongest, *([] if result.after is None else [result.strongest])]
    estimates = [Estimate(top.balanced_accuracy, top.low, top.high, top.n) for top in tops]
    gone = result.reduction
    return OverviewRow(
        result.name,
        "balanced accuracy",
        tops[-1].attacker,
        estimates[0],
        estimates[1] if len(estimates) > 1 else None,
        None if gone is None else gone.reduction,
        None if gone is None else gone.low,
        None if gone is None else gone.high,
        result.chance,
        result.trustworthy,
    )


def _continuous(result: ContinuousResult) -> OverviewRow:
    last = result.before if result.after is None else result.after
    return OverviewRow(
        result.name,
        "R2",
        last.strongest.attacker,
        _r2(result.before),
        _r2(result.after),
        result.reduction,
        None,
        None,
        0.0,
        result.trustworthy,
    )


def _r2(result: RegressionResult | None) -> Estimate | None:
    if result is None or result.strongest.r2 is None:
        return None
    top, value = result.strongest, result.strongest.r2
    low, high = (value if end is None else end for end in (top.low, top.high))
    return Estimate(value, low, high, top.n)


def scope(audit: AuditRecord) -> str:
    """Say what was attacked, how and on whom, in two lines."""
    widths = [str(audit.n_features_before)]
    widths += [] if audit.n_features_after is None else [str(audit.n_features_after)]
    tables = "one table" if len(widths) == 1 else "before and after a map"
    split = audit.split
    train, test = f"{split.n_train} rows", f"{split.n_test}"
    if split.identified:
        train += f" of {split.n_train_identities} people"
        test += f" of {split.n_test_identities} others"
    return (
        f"{audit.mode.capitalize()} audit of {tables} ({' -> '.join(widths)} features), seed "
        f"{audit.random_state}\nAttackers learned from {train} and were tested on {test}"
    )


def verdict(audit: AuditRecord) -> list[str]:
    """Say whether the measurement is valid and how much leaks; reasons and rows below."""
    lines = [verdict_of(audit).sentence, *(f"  {reason}" for reason in audit.reasons)]
    if audit.mode == "quick":
        lines.append(f"{QUICK}; run the whole audit before anything depends on it.")
    if audit.rows is not None:
        lines.append(f"{audit.rows.sentence}.")
    lines += [
        f"{one.attribute}: {Estimate(top.balanced_accuracy, top.low, top.high, top.n)} from "
        f"{one.versions} protected versions together."
        for one in audit.collusion
        for top in (one.strongest,)
    ]
    if audit.held is not None:
        lines += ["Rows that the map has seen, attacked apart:", *_held(audit.held)]
    return lines


def _held(audit: AuditRecord) -> list[str]:
    figures = [f"{_name(row)} {_figure(row, row.after)}" for row in overview_rows(audit)]
    found = [f"  {', '.join(figures)}", *(f"  {line}" for line in verdict(audit))]
    return [line for line in found if QUICK not in line]


def as_text(audit: AuditRecord) -> str:
    """Write an audit for a terminal: scope, one line an attribute, verdict; no embedding value."""
    rows = overview_rows(audit)
    header, *lines = _cells(audit, rows[:_MOST_LINES])
    widths = [max(map(len, column)) for column in zip(header, *lines, strict=True)]
    table = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
        for line in (header, *lines)
    ]
    more = len(rows) - _MOST_LINES
    rest = [f"... and {more} more: see to_frame()"] if more > 0 else []
    legend = [textwrap.fill(line, _WIDTH, subsequent_indent="  ") for line in _legend(audit)]
    said = [textwrap.fill(line, _WIDTH, subsequent_indent="    ") for line in verdict(audit)]
    # What is not valid is said before the figures, not after them.
    first, last = ([], said) if audit.trustworthy else ([*said, ""], [])
    return "\n".join([scope(audit), "", *first, *table, *rest, "", *legend, *last])


def as_html(audit: AuditRecord) -> str:
    """Write an audit for a notebook: a fragment of HTML; every name in it is escaped."""
    header, *lines = _cells(audit, overview_rows(audit))
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr><th>{escape(line[0])}</th>{''.join(f'<td>{escape(c)}</td>' for c in line[1:])}</tr>"
        for line in lines
    )
    below = [*_legend(audit), *verdict(audit)]
    return (
        f"<div><p>{escape(scope(audit))}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        f"<p>{'<br>'.join(map(escape, below))}</p></div>"
    )


def as_frame(audit: AuditRecord) -> pd.DataFrame:
    """Make a data frame, one row a line of the overview, an interval as two columns.

    Raises
    ------
    InputError
        If pandas is not installed.
    """
    if importlib.util.find_spec("pandas") is None:
        raise InputError("to_frame: expected pandas, which is not installed; pip install pandas")
    import pandas as pd

    return pd.DataFrame.from_records([_record(row) for row in overview_rows(audit)])


def _record(row: OverviewRow) -> dict[str, str | float | bool | None]:
    record: dict[str, str | float | bool | None] = {
        "name": row.name,
        "measure": row.measure,
        "attacker": row.attacker,
    }
    for side, estimate in (("before", row.before), ("after", row.after)):
        record[side] = None if estimate is None else estimate.value
        record[f"{side}_low"] = None if estimate is None else estimate.low
        record[f"{side}_high"] = None if estimate is None else estimate.high
    return record | {
        "reduction": row.reduction,
        "reduction_low": row.reduction_low,
        "reduction_high": row.reduction_high,
        "chance": row.chance,
        "trustworthy": row.trustworthy,
    }


def _cells(audit: AuditRecord, rows: Sequence[OverviewRow]) -> list[list[str]]:
    """Write the table, header first; one table has no columns after and reduction."""
    if audit.n_features_after is None:
        return [
            ["", "table", "chance"],
            *([_name(r), _figure(r, r.before), _chance(r)] for r in rows),
        ]
    header = ["", "before", "after", "reduction", "chance"]
    return [
        header,
        *(
            [_name(r), _figure(r, r.before), _figure(r, r.after), _reduction(r), _chance(r)]
            for r in rows
        ),
    ]


def _name(row: OverviewRow) -> str:
    flat = " ".join(row.name.split())
    return flat if len(flat) <= _NAME_WIDTH else flat[: _NAME_WIDTH - 1] + "…"


def _figure(row: OverviewRow, estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if row.measure == "R2":
        return f"R2 {estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
    return str(estimate)


def _reduction(row: OverviewRow) -> str:
    if row.reduction is None:
        return ""
    text = f"{100 * row.reduction:.1f} %"
    if row.reduction_low is None or row.reduction_high is None:
        return text
    low, high = (round(100 * end) for end in (row.reduction_low, row.reduction_high))
    return f"{text} [{low}, {high}]"


def _chance(row: OverviewRow) -> str:
    return "R2 0.00" if row.measure == "R2" else f"{100 * row.chance:.1f} %"


def _legend(audit: AuditRecord) -> list[str]:
    kept = audit.recognition
    lines = [f"Attributes: {strongest_of(audit)}, fitted on each table anew; 95 % intervals."]
    if kept is not None:
        lines.append(f"Recognition: {kept.explanation}.")
    elif audit.verification == ():
        lines.append("Recognition was not measured: give the identity.")
    return lines
