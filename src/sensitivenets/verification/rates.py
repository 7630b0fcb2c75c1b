"""Error rates of a verification system: ROC and DET, EER, FNMR at a given FMR, AUC.

Vocabulary of ISO/IEC 19795-1. A comparison *matches* when its score is at or above a threshold.
FMR (false match rate): share of impostor comparisons that match. FNMR (false non-match rate):
share of genuine comparisons that do not. TAR = 1 - FNMR; "TAR at FAR" is 1 - FNMR at that FMR.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sensitivenets.errors import InputError
from sensitivenets.verification.pairs import BoolArray
from sensitivenets.verification.scores import Float64Array

FMR_TARGETS = (1e-2, 1e-3, 1e-4)
EER_METHOD = "crossing of the ROC polyline (linear between neighbouring thresholds) with FMR = FNMR"


@dataclass(frozen=True)
class ErrorCurve:
    """Both error rates at every threshold at which one of them changes.

    Attributes
    ----------
    thresholds : ndarray of shape (k,), float64
        Strictly descending; the first is infinite, where nothing matches.
    fmr : ndarray of shape (k,), float64
        False match rate, from 0 up to 1. Lower is better.
    fnmr : ndarray of shape (k,), float64
        False non-match rate, from 1 down to 0. Lower is better.
    n_genuine, n_impostor : int
        Comparisons behind the rates.
    """

    thresholds: Float64Array
    fmr: Float64Array
    fnmr: Float64Array
    n_genuine: int
    n_impostor: int

    @property
    def tar(self) -> Float64Array:
        """True acceptance rate, 1 - FNMR: the ordinate of a ROC curve. Higher is better."""
        return 1 - self.fnmr

    def thinned(self, max_points: int = 500) -> ErrorCurve:
        """Keep at most `max_points` points, spread evenly over log FMR and log FNMR."""
        if len(self.thresholds) <= max_points:
            return self
        n_each = max(max_points // 2 - 2, 1)
        levels = np.geomspace(1 / max(self.n_impostor, 2), 1, n_each)
        by_fmr = np.searchsorted(self.fmr, levels)
        levels = np.geomspace(1 / max(self.n_genuine, 2), 1, n_each)
        by_fnmr = len(self.fnmr) - 1 - np.searchsorted(self.fnmr[::-1], levels)
        last = len(self.thresholds) - 1
        keep = np.unique(np.clip(np.concatenate([[0, last], by_fmr, by_fnmr]), 0, last))
        return ErrorCurve(
            self.thresholds[keep],
            self.fmr[keep],
            self.fnmr[keep],
            self.n_genuine,
            self.n_impostor,
        )

    def to_dict(self, max_points: int = 500) -> dict[str, Any]:
        """Return JSON-ready lists of at most `max_points` points; infinity becomes null."""
        curve = self.thinned(max_points)
        return {
            "threshold": [None if math.isinf(t) else t for t in curve.thresholds.tolist()],
            "fmr": curve.fmr.tolist(),
            "fnmr": curve.fnmr.tolist(),
            "n_genuine": self.n_genuine,
            "n_impostor": self.n_impostor,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ErrorCurve:
        """Rebuild the points that `to_dict` kept.

        Raises
        ------
        InputError
            If a key is missing, the lists differ in length, or hold something else than numbers.
        """
        try:
            thresholds = [math.inf if t is None else t for t in data["threshold"]]
            curve = cls(
                np.asarray(thresholds, dtype=np.float64),
                np.asarray(data["fmr"], dtype=np.float64),
                np.asarray(data["fnmr"], dtype=np.float64),
                int(data["n_genuine"]),
                int(data["n_impostor"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"roc: expected an error curve, {error!r}; run it again") from error
        if not len(curve.thresholds) == len(curve.fmr) == len(curve.fnmr) > 0:
            raise InputError(
                f"roc: expected one rate of each kind for {len(curve.thresholds)} thresholds, "
                f"found {len(curve.fmr)} and {len(curve.fnmr)}; run it again"
            )
        return curve


def error_curve(scores: Float64Array, same: BoolArray) -> ErrorCurve:
    """Compute FMR and FNMR at every distinct score.

    Parameters
    ----------
    scores : ndarray of shape (n,)
        Similarities; higher is more alike.
    same : ndarray of shape (n,), bool
        True for genuine comparisons.

    Returns
    -------
    ErrorCurve
        At most n + 1 points.

    Raises
    ------
    InputError
        If one kind of comparison is missing.
    """
    order = np.argsort(-scores, kind="stable")
    ends = _tie_ends(scores[order])
    genuine = same[order]
    return curve_from_counts(
        scores[order][ends],
        np.cumsum(genuine)[ends],
        np.cumsum(~genuine)[ends],
    )


def _tie_ends(descending: Float64Array) -> Any:
    """Positions of the last of each run of equal values."""
    return np.append(np.flatnonzero(np.diff(descending)), len(descending) - 1)


def curve_from_counts(
    thresholds: Float64Array, genuine: Any, impostor: Any, *, n: tuple[int, int] | None = None
) -> ErrorCurve:
    """Build the curve from running totals.

    Parameters
    ----------
    thresholds : ndarray of shape (k,)
        Descending.
    genuine, impostor : ndarray of shape (k,)
        Weight (or number) of comparisons with a score at or above each threshold; the last is
        the total.
    n : (int, int), optional
        Numbers of genuine and impostor comparisons, where the totals are weights.

    Returns
    -------
    ErrorCurve

    Raises
    ------
    InputError
        If there is no genuine or no impostor comparison.
    """
    if not len(genuine) or genuine[-1] <= 0 or impostor[-1] <= 0:
        totals = [t[-1] if len(t) else 0 for t in (genuine, impostor)]
        raise InputError(
            "expected genuine and impostor comparisons, found "
            f"{totals[0]:g} genuine and {totals[1]:g} impostor; rates of both errors need both"
        )
    n_genuine, n_impostor = n or (int(genuine[-1]), int(impostor[-1]))
    return ErrorCurve(
        np.concatenate([[np.inf], thresholds]),
        np.concatenate([[0.0], impostor / impostor[-1]]),
        np.concatenate([[1.0], 1 - genuine / genuine[-1]]),
        n_genuine,
        n_impostor,
    )


def equal_error_rate(curve: ErrorCurve) -> tuple[float, float]:
    """Find the error rate at which FMR equals FNMR. Lower is better; 0.5 is chance.

    The ROC polyline, linear between neighbouring thresholds, is cut by FMR = FNMR.

    Returns
    -------
    rate : float
        In [0, 1].
    threshold : float
        The threshold at or next below the crossing.
    """
    gap = curve.fmr - curve.fnmr
    after = int(np.argmax(gap >= 0))
    before = after - 1
    share = gap[before] / (gap[before] - gap[after])
    rate = curve.fmr[before] + share * (curve.fmr[after] - curve.fmr[before])
    return float(rate), float(curve.thresholds[after])


def area_under_curve(curve: ErrorCurve) -> float:
    """Probability that a genuine score exceeds an impostor score, ties counted half.

    In [0, 1]; higher is better, 0.5 is chance.
    """
    return float(np.trapezoid(curve.tar, curve.fmr))


@dataclass(frozen=True)
class Threshold:
    """An operating point: the lowest threshold whose FMR does not exceed a target.

    Attributes
    ----------
    threshold : float
        Scores at or above it match.
    fmr, fnmr : float
        Error rates at that threshold; `fmr` is at most the target.
    """

    threshold: float
    fmr: float
    fnmr: float


def threshold_at_fmr(curve: ErrorCurve, target: float) -> Threshold:
    """Find the lowest threshold with FMR at most `target`; nothing is interpolated."""
    last = int(np.searchsorted(curve.fmr, target, side="right")) - 1
    return Threshold(float(curve.thresholds[last]), float(curve.fmr[last]), float(curve.fnmr[last]))


def refusal(target: float, n_impostor: int) -> str | None:
    """Say why an FMR cannot be measured with so few impostors, or None if it can.

    Rule of three: with fewer than 3 expected false matches, an FMR several times the target
    would often show none.
    """
    expected = target * n_impostor
    if expected >= 3 * (1 - 1e-12):
        return None
    return (
        f"FMR {target:g} is below the resolution of {n_impostor} impostor comparisons: "
        f"{expected:.2g} false matches expected, at least 3 needed "
        f"({math.ceil(3 / target * (1 - 1e-12))} impostor comparisons)"
    )


def check_targets(targets: Sequence[float]) -> tuple[float, ...]:
    """Return the FMR targets if they are rates strictly between 0 and 1.

    Raises
    ------
    InputError
        If one is not.
    """
    for target in targets:
        if not 0 < target < 1:
            raise InputError(f"expected FMR targets between 0 and 1, found {target!r}")
    return tuple(float(t) for t in targets)
