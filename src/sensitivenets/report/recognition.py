"""What was kept: the verification results of an audit, whichever protocols measured them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensitivenets.audit import AuditResult
from sensitivenets.intervals import Estimate
from sensitivenets.report.numbers import estimate_of
from sensitivenets.verification import ErrorCurve

_ONE_MINUS_EER = "verification, 1 − equal error rate"
_SIDES = ("before", "after")
_NAMES = {
    "view1": "Given pairs (LFW view 1)",
    "view2": "Given pairs (LFW view 2)",
    "all pairs": "All pairs of the table",
}


@dataclass(frozen=True)
class Experiment:
    """One verification protocol, on one or both tables.

    Attributes
    ----------
    title : str
        Which protocol.
    sides : dict of str to dict
        What `to_dict` of a verification result gave, under "before" and "after".
    """

    title: str
    sides: dict[str, dict[str, Any]]

    def curves(self) -> dict[str, ErrorCurve]:
        """Rebuild the error curves, for plotting."""
        return {
            side: _curve(measured["roc"])
            for side, measured in self.sides.items()
            if measured.get("roc")
        }


@dataclass(frozen=True)
class Recognition:
    """One figure for what was kept.

    Attributes
    ----------
    name : str
        What the figure is; higher is better, 0.5 is chance.
    before, after : Estimate or None
        In [0, 1].
    """

    name: str
    before: Estimate | None
    after: Estimate | None

    @property
    def is_eer(self) -> bool:
        """Whether the figure is one minus the equal error rate."""
        return self.name == _ONE_MINUS_EER


def experiments(verification: Mapping[str, Any]) -> list[Experiment]:
    """Read the field `verification` of an audit.

    Parameters
    ----------
    verification : mapping
        ``{"before": ..., "after": ...}``, each what `to_dict` of a verification result gave; or
        several such mappings, each under a name of its own.

    Returns
    -------
    list of Experiment
        Those with at least one side.
    """
    named = [verification] if set(_SIDES) & set(verification) else list(verification.values())
    found = []
    for sides in named:
        kept = {s: sides[s] for s in _SIDES if isinstance(sides.get(s), dict) and sides[s]}
        if kept:
            protocol = str(next(iter(kept.values())).get("protocol", ""))
            found.append(Experiment(_NAMES.get(protocol, protocol or "Verification"), kept))
    return found


def recognition(audit: AuditResult) -> Recognition | None:
    """Choose the figure for Table I: accuracy on pairs, or else one minus the equal error rate.

    Returns
    -------
    Recognition or None
        None if verification was not measured.
    """
    measured = experiments(audit.verification)
    for experiment in measured:
        sides = [estimate_of(experiment.sides.get(s, {}).get("accuracy")) for s in _SIDES]
        if any(sides):
            return Recognition("verification accuracy", *sides)
    for experiment in measured:
        sides = [_right(experiment.sides.get(s, {}).get("eer")) for s in _SIDES]
        if any(sides):
            return Recognition(_ONE_MINUS_EER, *sides)
    return None


def _right(error: Any) -> Estimate | None:
    rate = estimate_of(error)
    return rate and Estimate(1 - rate.value, 1 - rate.high, 1 - rate.low, rate.n)


def _curve(roc: Mapping[str, Any]) -> ErrorCurve:
    thresholds = [np.inf if t is None else t for t in roc["threshold"]]
    return ErrorCurve(
        np.asarray(thresholds, dtype=np.float64),
        np.asarray(roc["fmr"], dtype=np.float64),
        np.asarray(roc["fnmr"], dtype=np.float64),
        int(roc["n_genuine"]),
        int(roc["n_impostor"]),
    )
