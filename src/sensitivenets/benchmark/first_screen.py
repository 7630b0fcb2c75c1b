"""What a reader of a leaderboard must know before its pictures: the finding, of what, by whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sensitivenets.benchmark.leaderboard import Leaderboard, chance_of, leakage_of
from sensitivenets.benchmark.plan import UNCHANGED
from sensitivenets.intervals import Estimate
from sensitivenets.report.numbers import count, joined

# Of the budgets that choices are made for, what few users notice.
_LOSS = 0.01


@dataclass(frozen=True)
class Finding:
    """What is read least of one attribute, by methods that lose next to nothing.

    Attributes
    ----------
    attribute : str
        Its name.
    label : str
        The method and its parameters.
    leakage : Estimate
        Balanced accuracy of the strongest attacker on it; lower is better.
    untouched : Estimate
        The same before any map.
    chance : float
        What a guess reaches.
    """

    attribute: str
    label: str
    leakage: Estimate
    untouched: Estimate
    chance: float


def findings(board: Leaderboard) -> tuple[Finding, ...]:
    """Return what is read least of each attribute at a loss of at most a hundredth.

    Returns
    -------
    tuple of Finding
        Empty where the embeddings before any map were not measured.
    """
    untouched = next((e for e in board.entries if e.method == UNCHANGED), None)
    chosen = [choice for choice in board.choices if choice.budget == _LOSS]
    if untouched is None:
        return ()
    return tuple(
        Finding(
            choice.attribute,
            choice.label,
            leakage_of(board.entry(choice.label), choice.attribute),
            leakage_of(untouched, choice.attribute),
            chance_of(untouched, choice.attribute),
        )
        for choice in chosen
    )


def lead(board: Leaderboard) -> str:
    """Say what was compared, and what the large figures are."""
    n_methods = len({entry.method for entry in board.entries} - {UNCHANGED})
    compared = f"{count(n_methods)} methods at {count(len(board.entries))} settings"
    if not findings(board):
        return f"{compared}: the same attackers on what each makes, and the same pairs verified."
    return (
        f"{compared}. What the strongest attacker still reads from the one that hides most, of "
        f"those that lose at most 1 % of “{board.utilities[0]}”:"
    )


def scope(board: Leaderboard) -> dict[str, str]:
    """Describe network, attackers, data and seeds, each in a line."""
    facts = board.facts
    data: dict[str, Any] = facts.get("data", {})
    full = facts.get("settings", {}).get("full")
    seeds = sorted({len(entry.seeds) for entry in board.entries})
    rows = {
        "Embeddings": facts.get("about", ""),
        "Attackers": (
            "every attacker of the whole audit, with the map known and without"
            if full
            else "quick: three attackers, none whitens; more may leak"
        ),
        "Methods learned from": _learned(data),
        "Attackers learned from": _rows(data.get("attack", {}).get("train")),
        "Attacked": _rows(data.get("attack", {}).get("test")),
        "Verified": _pairs(data.get("verification", {}).get("pairs", {})),
        "Seeds": " to ".join(dict.fromkeys(map(str, (seeds or [0])[:: max(len(seeds) - 1, 1)]))),
        "Version": str(facts.get("version", "")),
    }
    return {name: value for name, value in rows.items() if value}


def _learned(data: dict[str, Any]) -> str:
    fit, detector = data.get("fit", {}), data.get("detector", {})
    people = f" of {count(fit['classes'])} subjects" if "classes" in fit else ""
    sources = [f"{_rows(fit.get('rows'))}{people}"] if "rows" in fit else []
    if "rows" in detector:
        sources.append(f"{_rows(detector['rows'])} with the attributes")
    return joined(sources) if sources else ""


def _rows(n: int | None) -> str:
    return "" if n is None else f"{count(n)} rows"


def _pairs(pairs: dict[str, int]) -> str:
    named = [f"{count(n)} pairs of {name}" for name, n in pairs.items()]
    return joined(named) if named else "all pairs of the rows that are attacked"
