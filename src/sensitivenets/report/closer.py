"""What an average hides: rows of the tables on people read surely, subgroups and odd attacks."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.audit.results import AttackerResult, AttributeResult, BatteryResult, Headline
from sensitivenets.report.details import TextRow, batteries
from sensitivenets.report.numbers import count, interval, percent

_BITS = "bits"
_SPREADING = "label spreading"
_TURNED = "turned"


@dataclass(frozen=True)
class CloserTable:
    """One look at one attribute, a column for each representation.

    Attributes
    ----------
    title, text : str
        What it shows, and how to read it.
    columns : tuple of str
        The representations.
    rows : tuple of TextRow
        Figures; what is above chance is marked by an asterisk.
    """

    title: str
    text: str
    columns: tuple[str, ...]
    rows: tuple[TextRow, ...]


def closer_tables(attribute: AttributeResult) -> tuple[CloserTable, ...]:
    """Lay out the closer looks of an attribute; a look without a figure is left out.

    Parameters
    ----------
    attribute : AttributeResult
        One attribute of an audit.

    Returns
    -------
    tuple of CloserTable
        People read most surely, people found, several templates, the worst subgroup, odd attacks.
    """
    columns = batteries(attribute)
    looks = (
        (
            "The people read most surely",
            "Of the people an attacker is surest of, each counted once: how many are read right, "
            "and what luck would reach.",
            {name: _confident(battery) for name, battery in columns.items()},
        ),
        (
            "People found with few false alarms",
            "How many people of a class are found when few others may be taken for them.",
            {name: _detected(battery) for name, battery in columns.items()},
        ),
        (
            "Several templates of a person",
            "What is read when rows are known to belong to one person and their evidence is added.",
            {name: _templates(battery) for name, battery in columns.items()},
        ),
        (
            "The subgroup that is read best",
            "The same attackers, judged on the people of one subgroup.",
            {name: _subgroup(battery) for name, battery in columns.items()},
        ),
        (
            "Attacks of another kind",
            "On the digits of the numbers and not their values, along the graph of neighbours, and "
            "by attackers whose answers were turned because they were wrong too often.",
            {name: _odd(battery) for name, battery in columns.items()},
        ),
    )
    return tuple(
        CloserTable(title, text, tuple(columns), rows)
        for title, text, found in looks
        if (rows := _joined(found))
    )


def _joined(found: dict[str, dict[str, str]]) -> tuple[TextRow, ...]:
    labels = dict.fromkeys(label for column in found.values() for label in column)
    return tuple(
        TextRow(label, tuple(column.get(label, "–") for column in found.values()))
        for label in labels
    )


def _confident(battery: BatteryResult) -> dict[str, str]:
    found = {}
    for one in battery.confident:
        figure = _figure(one.precision, one.low, one.high, one.above_chance)
        found[f"Surest {percent(one.share, 0)}"] = (
            f"{figure}, n = {count(one.n)}; luck {percent(one.expected)}; {one.attacker}"
        )
    return found


def _detected(battery: BatteryResult) -> dict[str, str]:
    found = {}
    for one in battery.detections:
        figure = _figure(one.true_positive_rate, one.low, one.high, one.above_chance)
        found[f"{percent(one.false_positive_rate)} false alarms"] = (
            f"{figure} of {one.detected}, n = {count(one.n)}; {one.attacker}"
        )
    return found


def _templates(battery: BatteryResult) -> dict[str, str]:
    return {
        "All" if one.templates is None else f"{one.templates}": _headline(one.strongest)
        for one in battery.several_templates
    }


def _subgroup(battery: BatteryResult) -> dict[str, str]:
    worst = battery.worst_subgroup
    if worst is None:
        return {}
    return {"Strongest": f"{worst.column} = {worst.value}: {_headline(worst.strongest)}"}


def _odd(battery: BatteryResult) -> dict[str, str]:
    kinds = {
        "Digits of the numbers": [one for one in battery.attackers if one.preparation == _BITS],
        "Label spreading": [one for one in battery.attackers if one.attacker == _SPREADING],
        "Turned answers": [
            one for one in battery.attackers if any(_TURNED in note for note in one.notes)
        ],
    }
    found = {}
    for label, tried in kinds.items():
        best = max(tried, key=lambda one: one.balanced_accuracy or 0.0, default=None)
        if best is not None and best.balanced_accuracy is not None:
            found[label] = _attacker(best, len(tried) if label == "Turned answers" else 0)
    return found


def _attacker(best: AttackerResult, of: int) -> str:
    how_many = f"; {of} attackers turned" if of > 1 else ""
    figure = f"{percent(best.balanced_accuracy)} {interval(best.low, best.high)}"
    return f"{figure}; {best.attacker}, {best.preparation}{how_many}"


def _headline(top: Headline) -> str:
    figure = _figure(top.balanced_accuracy, top.low, top.high, top.above_chance)
    return f"{figure}, n = {count(top.n)}; {top.attacker}"


def _figure(value: float, low: float, high: float, above_chance: bool) -> str:
    return f"{percent(value)}{'*' if above_chance else ''} {interval(low, high)}"
