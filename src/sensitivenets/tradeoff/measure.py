"""What each candidate leaks and costs on rows held out of the fit data, and which to take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from sensitivenets.audit import quick_audit
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.maps.base import FittedMap
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.pareto import front
from sensitivenets.verification.pairs import Pairs
from sensitivenets.verification.rates import error_curve
from sensitivenets.verification.scores import cosine_scores


@dataclass(frozen=True)
class TradeOffPoint:
    """What one candidate leaks and costs.

    Attributes
    ----------
    candidate : Candidate or None
        None is the embeddings as they were.
    loss : float
        Verification accuracy lost, a fraction: 0.01 is one point. Lower is better.
    leakage : dict of str to float
        Balanced accuracy of the strongest attacker that was tried, of each attribute: those of the
        quick audit, or the readers of a rehearsal. Lower is better.
    excess : float
        Mean over attributes of (leakage - chance) / (1 - chance): 0 is nothing read.
    on_front : bool
        Whether no other candidate leaks less at no greater loss.
    """

    candidate: Candidate | None
    loss: float
    leakage: dict[str, float]
    excess: float
    on_front: bool = False

    @property
    def name(self) -> str:
        """The candidate in words."""
        return "unchanged" if self.candidate is None else str(self.candidate)


@dataclass(frozen=True)
class TradeOff:
    """The privacy-utility front, and the point taken from it.

    Attributes
    ----------
    points : tuple of TradeOffPoint
        All that was tried, from the smallest loss to the largest.
    chosen : TradeOffPoint
        The least excess among those whose loss is within the budget.
    budget : float
        What could be lost.
    accuracy_before : float
        Verification accuracy of the embeddings as they were, on the same pairs.
    """

    points: tuple[TradeOffPoint, ...]
    chosen: TradeOffPoint
    budget: float
    accuracy_before: float

    @property
    def taken(self) -> Candidate:
        """The candidate chosen, or where none leaks less within the budget the cheapest."""
        tried = [point.candidate for point in self.points if point.candidate is not None]
        return self.chosen.candidate or tried[0]

    def curve(self) -> tuple[dict[str, Any], ...]:
        """Return one JSON-ready record a point, for the model folder."""
        return tuple(
            asdict(point)
            | {"name": point.name, "chosen": point is self.chosen, "budget": self.budget}
            for point in self.points
        )


@dataclass(frozen=True)
class HeldOut:
    """Rows that no candidate learned from.

    Attributes
    ----------
    X : ndarray of shape (m, d)
        Rows to attack.
    attributes : dict of str to Labels
        Theirs.
    split : Split
        Who trains the attackers, and who is attacked.
    faces : ndarray of shape (n, d)
        Rows to verify.
    pairs : Pairs
        Of them.
    """

    X: FloatArray
    attributes: dict[str, Labels]
    split: Split
    faces: FloatArray
    pairs: Pairs


def measure_point(
    candidate: Candidate | None, phi: FittedMap | None, held_out: HeldOut, seed: int
) -> tuple[TradeOffPoint, float]:
    """Attack and verify one candidate; its `loss` is left at zero.

    Returns
    -------
    point : TradeOffPoint
        What it leaks.
    accuracy : float
        Verification accuracy: one minus the mean of FMR and FNMR at the best threshold.
    """
    X = held_out.X if phi is None else phi(held_out.X)
    faces = held_out.faces if phi is None else phi(held_out.faces)
    read = quick_audit(
        X, None, held_out.attributes, split=held_out.split, random_state=seed, n_jobs=1
    ).attributes
    leakage = {a.name: a.strongest.balanced_accuracy for a in read}
    excess = float(np.mean([(leakage[a.name] - a.chance) / (1 - a.chance) for a in read]))
    return TradeOffPoint(candidate, 0.0, leakage, excess), accuracy_of_pairs(faces, held_out.pairs)


def accuracy_of_pairs(X: FloatArray, pairs: Pairs) -> float:
    """Verify pairs of rows (n, d); one minus the mean of FMR and FNMR at the best threshold."""
    curve = error_curve(cosine_scores(X, pairs), pairs.same)
    return float(1 - np.min(curve.fmr + curve.fnmr) / 2)


def choose(measured: Sequence[tuple[TradeOffPoint, float]], budget: float) -> TradeOff:
    """Find the front, and the point that leaks least within the budget.

    Parameters
    ----------
    measured : sequence of (TradeOffPoint, float)
        As `measure_point` returns them; the first is the embeddings as they were.
    budget : float
        Accuracy that may be lost, a fraction.

    Returns
    -------
    TradeOff
        The embeddings as they were lose nothing, so that a point is always within the budget.
    """
    before = measured[0][1]
    losses = [before - accuracy for _, accuracy in measured]
    best = set(front([(-loss, p.excess) for loss, (p, _) in zip(losses, measured, strict=True)]))
    points = sorted(
        (
            TradeOffPoint(p.candidate, losses[k], p.leakage, p.excess, k in best)
            for k, (p, _) in enumerate(measured)
        ),
        key=lambda point: point.loss,
    )
    # Rounding must not shut out what loses exactly the budget.
    within = [point for point in points if point.loss <= budget + 1e-12]
    chosen = min(within, key=lambda point: point.excess)
    return TradeOff(tuple(points), chosen, budget, before)
