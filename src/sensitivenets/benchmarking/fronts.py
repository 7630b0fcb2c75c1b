"""Which points of a privacy-utility plane are worth choosing."""

from __future__ import annotations

from collections.abc import Sequence

from sensitivenets.benchmarking.leaderboard import Choice, Entry, Front
from sensitivenets.intervals import Estimate
from sensitivenets.pareto import front

#: Utility that a reader may be willing to lose, as fractions.
BUDGETS = (0.005, 0.01, 0.02, 0.05)


def leakage_of(entry: Entry, attribute: str) -> Estimate:
    """Return what the strongest attacker reads of one attribute."""
    return next(score.leakage for score in entry.attributes if score.name == attribute)


def utility_of(entry: Entry, utility: str) -> Estimate | None:
    """Return one figure of utility; None if it is not there."""
    return next((score.value for score in entry.utilities if score.name == utility), None)


def fronts(
    entries: Sequence[Entry], attributes: Sequence[str], utilities: Sequence[str]
) -> tuple[Front, ...]:
    """Find the front of each attribute and each utility that all entries have.

    Parameters
    ----------
    entries : sequence of Entry
        All points.
    attributes, utilities : sequence of str
        Names.

    Returns
    -------
    tuple of Front
        In the order of attributes, then utilities.
    """
    found = []
    for attribute in attributes:
        for utility in utilities:
            values = [utility_of(entry, utility) for entry in entries]
            known = [value.value for value in values if value is not None]
            if len(known) < len(entries):
                continue
            leakages = [leakage_of(entry, attribute).value for entry in entries]
            places = front(list(zip(known, leakages, strict=True)))
            found.append(Front(attribute, utility, tuple(entries[k].label for k in places)))
    return tuple(found)


def choices(
    entries: Sequence[Entry], attributes: Sequence[str], unchanged: Entry | None
) -> tuple[Choice, ...]:
    """Choose, for each attribute and budget, the entry that leaks least within it.

    Parameters
    ----------
    entries : sequence of Entry
        All points.
    attributes : sequence of str
        Names.
    unchanged : Entry or None
        The embeddings before any map.

    Returns
    -------
    tuple of Choice
        By the first utility; empty if the embeddings before any map are not among the entries.
    """
    if unchanged is None:
        return ()
    name = unchanged.utilities[0].name
    kept = {e.label: value.value for e in entries if (value := utility_of(e, name)) is not None}
    found = []
    for attribute in attributes:
        for budget in BUDGETS:
            # Rounding must not shut out what loses exactly the budget.
            within = [e for e in entries if kept[e.label] >= kept[unchanged.label] - budget - 1e-12]
            best = min(within, key=lambda e: leakage_of(e, attribute).value)
            found.append(Choice(attribute, budget, best.label))
    return tuple(found)
