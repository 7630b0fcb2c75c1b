"""The leaderboard: runs of one point joined over seeds, as data; every page is drawn from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensitivenets.atomic import atomic_file
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.serialisation import decode, encode
from sensitivenets.tradeoff.pareto import front

SCHEMA_VERSION = 1
#: Utility that a reader may be willing to lose, as fractions.
BUDGETS = (0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True)
class AttackerScore:
    """One attacker on one point, in its best preparation.

    Attributes
    ----------
    attacker : str
        Its name.
    leakage : Estimate or None
        Balanced accuracy, mean over seeds; None if it failed.
    """

    attacker: str
    leakage: Estimate | None


@dataclass(frozen=True)
class AttributeScore:
    """What leaks of one attribute at one point.

    Attributes
    ----------
    name : str
        The attribute.
    chance : float
        Balanced accuracy of a guess.
    leakage : Estimate
        Balanced accuracy of the strongest attacker, mean over seeds; lower is better. Its interval
        reaches from the lowest end over the seeds to the highest.
    attacker : str
        Which attacker was the strongest with the seed where it read most.
    map_secret : Estimate
        The same for attackers that do not know the map.
    reduction : float or None
        Share of what stood above chance before the map that is gone, as in Table I; 1 is all. None
        if the embeddings before the map were not attacked, or were not read.
    attackers : tuple of AttackerScore
        Each attacker, on the embeddings.
    trustworthy : bool
        Whether attackers trained on shuffled labels were at chance with every seed.
    """

    name: str
    chance: float
    leakage: Estimate
    attacker: str
    map_secret: Estimate
    reduction: float | None
    attackers: tuple[AttackerScore, ...]
    trustworthy: bool


@dataclass(frozen=True)
class UtilityScore:
    """One figure of verification at one point.

    Attributes
    ----------
    name : str
        Such as ``"accuracy, view2"`` or ``"TAR at FMR 0.001, view2"``; higher is better.
    value : Estimate or None
        Mean over seeds; None if the pairs are too few for it.
    """

    name: str
    value: Estimate | None


@dataclass(frozen=True)
class Entry:
    """One point: a method and its parameters, over all seeds.

    Attributes
    ----------
    label : str
        Method and parameters, for people.
    method : str
        Name of the method.
    parameters : dict
        What is not left at its default.
    seeds : tuple of int
        The seeds that are joined.
    attributes : tuple of AttributeScore
        What leaks.
    utilities : tuple of UtilityScore
        What is kept; the first is the one that decides.
    excess : float
        Mean over attributes of (leakage - chance) / (1 - chance): 0 is nothing read, 1 everything.
        Entries are listed by it.
    fit_seconds, transform_rows_per_second : float
        Medians over seeds.
    peak_memory : int or None
        Bytes, the largest over seeds.
    n_features : int
        Of the output.
    notes : tuple of str
        Warnings of the method.
    """

    label: str
    method: str
    parameters: dict[str, Any]
    seeds: tuple[int, ...]
    attributes: tuple[AttributeScore, ...]
    utilities: tuple[UtilityScore, ...]
    excess: float
    fit_seconds: float
    transform_rows_per_second: float
    peak_memory: int | None
    n_features: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Front:
    """Points that no other beats in both: less leakage of an attribute at no less utility.

    Attributes
    ----------
    attribute, utility : str
        What is compared.
    labels : tuple of str
        Labels of the entries on the front, from the highest utility to the lowest.
    """

    attribute: str
    utility: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class BudgetChoice:
    """The best entry for a reader who will give up so much utility and no more.

    Attributes
    ----------
    attribute : str
        What is to be hidden.
    budget : float
        Utility that may be lost against the embeddings before the map, as a fraction.
    label : str
        The entry that leaks least within it.
    """

    attribute: str
    budget: float
    label: str


@dataclass(frozen=True)
class Failure:
    """A run without figures.

    Attributes
    ----------
    label : str
        Method, parameters and seed.
    error : str
        Why.
    """

    label: str
    error: str


@dataclass(frozen=True)
class Leaderboard:
    """Everything that the page and the pictures show.

    Attributes
    ----------
    attributes : tuple of str
        Names, in the order of the entries.
    utilities : tuple of str
        Names, in the order of the entries.
    entries : tuple of Entry
        The least excess first.
    fronts : tuple of Front
        One for each attribute and utility that all entries have.
    choices : tuple of BudgetChoice
        For each attribute, at several budgets of the first utility; empty without the
        embeddings before the map.
    failures : tuple of Failure
        Runs that failed.
    reasons : tuple of str
        Why the figures cannot be trusted; empty if they can.
    facts : dict
        Data, settings, versions and machine.
    schema_version : int
        Version of these fields.
    """

    attributes: tuple[str, ...]
    utilities: tuple[str, ...]
    entries: tuple[Entry, ...]
    fronts: tuple[Front, ...]
    choices: tuple[BudgetChoice, ...]
    failures: tuple[Failure, ...]
    reasons: tuple[str, ...]
    facts: dict[str, Any]
    schema_version: int = SCHEMA_VERSION

    def entry(self, label: str) -> Entry:
        """Return the entry of a label."""
        return next(entry for entry in self.entries if entry.label == label)


def save_leaderboard(leaderboard: Leaderboard, path: Path) -> None:
    """Write a leaderboard as JSON, whole or not at all."""
    text = json.dumps(encode(leaderboard), indent=1, allow_nan=False, ensure_ascii=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def load_leaderboard(path: Path) -> Leaderboard:
    """Read a leaderboard.

    Raises
    ------
    InputError
        If the file is missing, or is no leaderboard of this version.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected a leaderboard.json, {error}") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: expected a leaderboard of version {SCHEMA_VERSION}, found version "
            f"{version!r}; run the benchmark again"
        )
    leaderboard = decode(document, Leaderboard, str(path))
    assert isinstance(leaderboard, Leaderboard)
    return leaderboard


def leakage_of(entry: Entry, attribute: str) -> Estimate:
    """Return what the strongest attacker reads of one attribute."""
    return next(score.leakage for score in entry.attributes if score.name == attribute)


def chance_of(entry: Entry, attribute: str) -> float:
    """Return what a guess reaches of one attribute."""
    return next(score.chance for score in entry.attributes if score.name == attribute)


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
) -> tuple[BudgetChoice, ...]:
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
    tuple of BudgetChoice
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
            found.append(BudgetChoice(attribute, budget, best.label))
    return tuple(found)
