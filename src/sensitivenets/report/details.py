"""Rows of the detailed tables: every attacker, verification, groups, provenance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensitivenets.audit import AttackerResult, AttributeResult, BatteryResult
from sensitivenets.intervals import Estimate
from sensitivenets.report.numbers import count, interval, percent, plain
from sensitivenets.report.recognition import Experiment, Verified
from sensitivenets.verification import (
    GroupComparison,
    OperatingPoint,
    RateRatio,
    VerificationResult,
)

_RATIO = "Largest over smallest"


@dataclass(frozen=True)
class AttackerRow:
    """One attacker on one preparation, on each representation it was run on.

    Attributes
    ----------
    attacker, preparation : str
        As in `AttackerResult`.
    results : tuple of AttackerResult or None
        Before, after, and after the map was undone: as many as the table has columns.
    notes : tuple of str
        What went wrong, with the representation in front.
    """

    attacker: str
    preparation: str
    results: tuple[AttackerResult | None, ...]
    notes: tuple[str, ...]

    @property
    def last_auc(self) -> float | None:
        """Area under the ROC curve on the second table, or on the only one."""
        result = self.results[min(1, len(self.results) - 1)]
        return None if result is None else result.auc


@dataclass(frozen=True)
class TextRow:
    """A label and one text a column."""

    label: str
    cells: tuple[str, ...]


def batteries(attribute: AttributeResult) -> dict[str, BatteryResult]:
    """Return the representations that were attacked, by column heading."""
    first = "balanced accuracy" if attribute.after is None else "before"
    columns = {
        first: attribute.before,
        "after": attribute.after,
        "after, map undone": attribute.inverted,
    }
    return {heading: battery for heading, battery in columns.items() if battery is not None}


def attacker_rows(attribute: AttributeResult) -> list[AttackerRow]:
    """List every attacker and preparation in the order the audit ran them."""
    columns = batteries(attribute)
    found = {
        heading: {(r.attacker, r.preparation): r for r in battery.attackers}
        for heading, battery in columns.items()
    }
    keys = dict.fromkeys(key for results in found.values() for key in results)
    rows = []
    for key in keys:
        results = tuple(found[heading].get(key) for heading in columns)
        notes = tuple(
            f"{heading}: {note}"
            for heading, result in zip(columns, results, strict=True)
            if result
            for note in result.notes
        )
        rows.append(AttackerRow(*key, results, notes))
    return rows


def description_lengths(attribute: AttributeResult) -> list[str]:
    """Say in bits how readable the labels are; no sentence where it was not measured."""
    measured = {
        heading: battery.description_length
        for heading, battery in batteries(attribute).items()
        if battery.description_length is not None
    }
    if not measured:
        return []
    bits = ", ".join(f"{plain(m.bits_per_row)} {heading}" for heading, m in measured.items())
    prior = plain(next(iter(measured.values())).prior_bits_per_row)
    return [
        f"Bits to write down the label of a row: {bits}; {prior} without the embeddings. Fewer "
        "bits mean that the labels are easier to read."
    ]


def verification_rows(experiment: Experiment) -> list[TextRow]:
    """Write the figures of one protocol, one column a table."""
    sides = list(experiment.sides.values())
    accuracies = [s.accuracy.estimate if isinstance(s, VerificationResult) else None for s in sides]
    rows = [
        TextRow(label, tuple(map(_with_interval, estimates)))
        for label, estimates in (
            ("Accuracy (higher is better)", accuracies),
            ("Equal error rate (lower is better)", [side.eer for side in sides]),
            ("Area under the ROC curve (higher is better)", [side.auc for side in sides]),
        )
        if any(estimates)
    ]
    for target in dict.fromkeys(p.target_fmr for side in sides for p in side.fnmr_at_fmr):
        label = f"False non-match rate at a false match rate of {100 * target:g} %"
        rows.append(TextRow(label, tuple(_at(side.fnmr_at_fmr, target) for side in sides)))
    return [
        *rows,
        *_domain_rows(sides),
        TextRow("Pairs of one person", tuple(count(side.n_genuine) for side in sides)),
        TextRow("Pairs of two people", tuple(count(side.n_impostor) for side in sides)),
        TextRow("People", tuple(count(side.n_subjects) for side in sides)),
    ]


def _with_interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return "–"
    return f"{percent(estimate.value, 2)} {interval(estimate.low, estimate.high)}"


def _domain_rows(sides: Sequence[Verified]) -> list[TextRow]:
    """Write the figures of pairs within domains, and of pairs across them, by own thresholds."""
    compared = [side.domains for side in sides if side.domains is not None]
    if not compared or len(compared) < len(sides):
        return []
    rows = []
    for kinds in zip(*(one.kinds for one in compared), strict=True):
        where = f"{kinds[0].kind} {compared[0].domain}"
        eer = tuple(kind.refused or _with_interval(kind.eer) for kind in kinds)
        rows.append(TextRow(f"Equal error rate {where}", eer))
        for target in dict.fromkeys(p.target_fmr for kind in kinds for p in kind.fnmr_at_fmr):
            label = f"False non-match rate {where} at a false match rate of {100 * target:g} %"
            rows.append(TextRow(label, tuple(_at(kind.fnmr_at_fmr, target) for kind in kinds)))
    return rows


def _at(points: Sequence[OperatingPoint], target: float) -> str:
    for point in points:
        if point.target_fmr == target:
            return point.refused or _with_interval(point.fnmr)
    return "–"


@dataclass(frozen=True)
class GroupTable:
    """Error rates of the groups of one attribute at one global threshold.

    Attributes
    ----------
    title : str
        Attribute and false match rate.
    columns : tuple of str
        Headings.
    rows : tuple of TextRow
        One a group, then the ratio of the largest to the smallest rate.
    notes : tuple of str
        Why figures were refused.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[TextRow, ...]
    notes: tuple[str, ...]


def group_tables(experiment: Experiment) -> list[GroupTable]:
    """Write the error rates of each group, one table an attribute and a threshold."""
    comparisons: dict[tuple[str, float], dict[str, GroupComparison]] = {}
    for side, measured in experiment.sides.items():
        apart = measured.domains.at_one_threshold if measured.domains is not None else ()
        for comparison in (*measured.groups, *apart):
            key = (comparison.attribute, comparison.target_fmr)
            comparisons.setdefault(key, {})[side] = comparison
    return [_group_table(*key, sides) for key, sides in comparisons.items()]


def _group_table(attribute: str, target: float, sides: Mapping[str, GroupComparison]) -> GroupTable:
    kinds = ("false matches", "false non-matches")
    columns = tuple(f"{name}, {side}" for name in kinds for side in sides)
    by_row: dict[str, list[str]] = {}
    # A reason is longer than a cell, and often the same on both tables.
    notes: dict[str, None] = {}
    for name in kinds:
        for comparison in sides.values():
            for label, figure, refused in _group_figures(comparison, name == kinds[0]):
                by_row.setdefault(label, []).append("refused" if refused else figure)
                if refused:
                    notes[f"{label}, {name}: {refused}"] = None
    rows = tuple(TextRow(label, tuple(cells)) for label, cells in by_row.items())
    title = f"{attribute}, one threshold for all: false match rate of {100 * target:g} % overall"
    return GroupTable(title, columns, rows, tuple(notes))


def _group_figures(comparison: GroupComparison, matches: bool) -> list[tuple[str, str, str | None]]:
    """Label, figure and reason for refusing it: of each group, then of their ratio."""
    ratio = comparison.fmr_ratio if matches else comparison.fnmr_ratio
    figures = [
        (group.group, _with_interval(group.fmr), group.fmr_refused)
        if matches
        else (group.group, _with_interval(group.fnmr), group.fnmr_refused)
        for group in comparison.groups
    ]
    return [*figures, (_RATIO, _ratio(ratio), ratio.refused)]


def _ratio(ratio: RateRatio) -> str:
    if ratio.value is None or ratio.high is None:
        return "–"
    high = "∞" if math.isinf(ratio.high) else plain(ratio.high, 1)
    return f"{plain(ratio.value, 1)} [{plain(ratio.low, 1)}, {high}]"


def flat(tree: Mapping[str, Any], prefix: str = "") -> list[TextRow]:
    """Nested mappings as one list: ``{"before": {"rows": 3}}`` gives "before, rows: 3"."""
    rows: list[TextRow] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            rows += flat(value, f"{prefix}{name}, ")
        elif isinstance(value, (list, tuple)):
            rows.append(TextRow(f"{prefix}{name}", (", ".join(map(str, value)),)))
        else:
            rows.append(TextRow(f"{prefix}{name}", ("–" if value is None else str(value),)))
    return rows
