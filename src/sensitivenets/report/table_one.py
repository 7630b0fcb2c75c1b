"""Table I of the paper: before, after, reduction, random, for recognition and each attribute."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.audit import AttributeResult, BatteryResult, Reduction
from sensitivenets.intervals import Estimate
from sensitivenets.plots.attackers import best_of_each
from sensitivenets.report.not_tried import strongest_of
from sensitivenets.report.record import AuditRecord

# The paper's three attackers, by the names that the quick and the full battery give them.
_PAPER_ATTACKERS = {
    "Neural network (NN)": ("NN", "MLP"),
    "Support vector machine (SVM)": ("SVM", "RBF-SVM"),
    "Random forest (RF)": ("RF", "random forest"),
}


@dataclass(frozen=True)
class TableRow:
    """One line: figures in [0, 1], None where nothing was measured.

    Attributes
    ----------
    task : str
        "Recognition", or the attribute.
    before, after : Estimate or None
        Verification accuracy, or the attacker's balanced accuracy.
    reduction, low, high : float or None
        (before - after) / (before - random) and its interval.
    random : float
        What a guess reaches.
    """

    task: str
    before: Estimate | None
    after: Estimate | None
    reduction: float | None
    low: float | None
    high: float | None
    random: float


@dataclass(frozen=True)
class TableGroup:
    """The lines of one attacker under its name."""

    title: str
    rows: tuple[TableRow, ...]


def table_one(audit: AuditRecord) -> tuple[TableGroup, ...]:
    """Build Table I from an audit.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    tuple of TableGroup
        Recognition where it was measured, the strongest attacker, then the paper's three.
    """
    everything = audit.everything
    title = f"{strongest_of(audit)[4:].capitalize()}"
    groups = [TableGroup(title, tuple(_strongest(a) for a in everything))]
    for title, names in _PAPER_ATTACKERS.items():
        rows = tuple(row for a in everything if (row := _first_of(a, names)) is not None)
        if rows:
            groups.append(TableGroup(title, rows))
    kept = _recognition(audit)
    return (*([kept] if kept else []), *groups)


def _recognition(audit: AuditRecord) -> TableGroup | None:
    kept = audit.recognition
    if kept is None:
        return None
    sides = (kept.before, kept.after)
    row = TableRow(kept.name, *sides, kept.reduction, None, None, kept.chance)
    return TableGroup("Recognition (to be kept)", (row,))


def _strongest(attribute: AttributeResult) -> TableRow:
    reduction = attribute.reduction
    tops = [attribute.before.strongest]
    if attribute.after is not None:
        tops.append(attribute.strongest)
    estimates = [Estimate(t.balanced_accuracy, t.low, t.high, t.n) for t in tops]
    return TableRow(
        attribute.name,
        estimates[0],
        estimates[1] if attribute.after is not None else None,
        *_share(reduction),
        attribute.chance,
    )


def _first_of(attribute: AttributeResult, names: tuple[str, ...]) -> TableRow | None:
    rows = (_of_attacker(attribute, name) for name in names)
    return next((row for row in rows if row is not None), None)


def _of_attacker(attribute: AttributeResult, name: str) -> TableRow | None:
    before = _best(attribute.before, name)
    after = _best(attribute.after, name) if attribute.after else None
    if before is None and after is None:
        return None
    reduction = next((r for r in attribute.reductions if r.attacker == name), None)
    return TableRow(attribute.name, before, after, *_share(reduction), attribute.chance)


def _best(battery: BatteryResult, name: str) -> Estimate | None:
    result = best_of_each(battery).get(name)
    if result is None or result.balanced_accuracy is None:
        return None
    value = result.balanced_accuracy
    low, high = (value if end is None else end for end in (result.low, result.high))
    return Estimate(value, low, high, result.n)


def _share(reduction: Reduction | None) -> tuple[float | None, float | None, float | None]:
    if reduction is None:
        return None, None, None
    return reduction.reduction, reduction.low, reduction.high
