"""What was kept: the verification results beside an audit, and the one figure read off them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.verification import AllPairsResult, ErrorCurve, VerificationResult

Verified = VerificationResult | AllPairsResult

_ONE_MINUS_EER = "verification, 1 − equal error rate"
_ALL_PAIRS = "all pairs"


@dataclass(frozen=True)
class Experiment:
    """One verification protocol, on one or both tables.

    Attributes
    ----------
    before, after : VerificationResult, AllPairsResult or None
        What was measured on the first and on the second table.
    name : str
        Tells it from the others, where there are several.
    """

    before: Verified | None = None
    after: Verified | None = None
    name: str = ""

    @property
    def sides(self) -> dict[str, Verified]:
        """What was measured, under "before" and "after"."""
        both = {"before": self.before, "after": self.after}
        return {side: measured for side, measured in both.items() if measured is not None}

    @property
    def title(self) -> str:
        """Which protocol."""
        first = next(iter(self.sides.values()))
        if isinstance(first, AllPairsResult):
            return "All pairs of the table"
        return f"Given pairs (LFW {first.protocol.replace('view', 'view ')})"

    @property
    def curves(self) -> dict[str, ErrorCurve]:
        """The error curves, for plotting."""
        return {side: measured.curve for side, measured in self.sides.items()}


@dataclass(frozen=True)
class Recognition:
    """One figure for what was kept.

    Attributes
    ----------
    name : str
        What the figure is; higher is better.
    before, after : Estimate or None
        In [0, 1].
    n_pairs : int or None
        Pairs behind the accuracy; None where all pairs were compared.
    chance : float
        What a guess reaches.
    """

    name: str
    before: Estimate | None
    after: Estimate | None
    n_pairs: int | None = None
    chance: float = 0.5

    @property
    def is_eer(self) -> bool:
        """Whether the figure is one minus the equal error rate."""
        return self.n_pairs is None

    @property
    def reduction(self) -> float | None:
        """(before - after) / (before - chance): lower is better, 0 keeps everybody recognised."""
        if self.before is None or self.after is None or self.before.value <= self.chance:
            return None
        return (self.before.value - self.after.value) / (self.before.value - self.chance)

    @property
    def explanation(self) -> str:
        """What the figure is, in words."""
        if self.n_pairs is None:
            return "one minus the equal error rate over all pairs"
        return f"share of {self.n_pairs} pairs decided rightly"


def recognition(experiments: Sequence[Experiment]) -> Recognition | None:
    """Choose the figure for Table I: accuracy on pairs, or else one minus the equal error rate.

    Parameters
    ----------
    experiments : sequence of Experiment
        The field `verification` of an audit.

    Returns
    -------
    Recognition or None
        None if verification was not measured.
    """
    for experiment in experiments:
        pairs = [
            measured
            for measured in (experiment.before, experiment.after)
            if isinstance(measured, VerificationResult)
        ]
        if pairs:
            n_pairs = pairs[0].n_genuine + pairs[0].n_impostor
            before, after = _accuracy(experiment.before), _accuracy(experiment.after)
            return Recognition("verification accuracy", before, after, n_pairs)
    for experiment in experiments:
        if experiment.sides:
            before, after = _right(experiment.before), _right(experiment.after)
            return Recognition(_ONE_MINUS_EER, before, after)
    return None


def _accuracy(measured: Verified | None) -> Estimate | None:
    return measured.accuracy.estimate if isinstance(measured, VerificationResult) else None


def _right(measured: Verified | None) -> Estimate | None:
    if measured is None:
        return None
    rate = measured.eer
    return Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.n)


def read_verified(data: Mapping[str, Any]) -> Verified:
    """Rebuild what ``sensitivenets verify --json`` wrote, by its protocol.

    Raises
    ------
    InputError
        If it is something else.
    """
    if data.get("protocol") == _ALL_PAIRS:
        return AllPairsResult.from_dict(data)
    return VerificationResult.from_dict(data)


def read_experiments(data: Mapping[str, Any]) -> tuple[Experiment, ...]:
    """Read the field `verification` of an audit.json.

    Parameters
    ----------
    data : mapping
        ``{"before": ..., "after": ...}``, each what `to_dict` of a verification result gave; or
        several such mappings, each under a name of its own.

    Returns
    -------
    tuple of Experiment
        Those with at least one side.

    Raises
    ------
    InputError
        If a side is no verification result.
    """
    named = {"": data} if {"before", "after"} & set(data) else data
    return tuple(
        experiment
        for name, sides in named.items()
        if (experiment := Experiment(_side(sides, "before"), _side(sides, "after"), name)).sides
    )


def write_experiments(experiments: Sequence[Experiment]) -> dict[str, Any]:
    """Write the field `verification` of an audit.json; `read_experiments` reads it back."""
    named = {
        experiment.name: {side: measured.to_dict() for side, measured in experiment.sides.items()}
        for experiment in experiments
    }
    return named[""] if set(named) == {""} else named


def _side(sides: Any, side: str) -> Verified | None:
    if not isinstance(sides, Mapping):
        raise InputError(f"verification: expected an object, found {sides!r:.60}; run it again")
    return read_verified(sides[side]) if sides.get(side) else None
