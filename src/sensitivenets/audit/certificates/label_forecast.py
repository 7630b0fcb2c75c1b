"""What the same attacker reads with ten and with a hundred times the labels.

Its learning curve is continued by two families of curves that level off, a power law and a
saturating one, fitted to each bootstrap draw of the test people; the band holds the middle 90 of
100 continuations. Learning curves have no law that always holds (Viering and Loog, TPAMI 2023), so
the same is tried first where the answer is known: without the last point. Only if that lies inside
its band is anything said of what lies beyond.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.curves import predict_parts
from sensitivenets.audit.metrics import TrueLabels, balanced_accuracy
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import FloatArray

#: How many times the labels are forecast for.
TIMES = (10, 100)
_POINTS = 8
_FEWEST_LABELS = 100
_SEEDS = 3
_DRAWS = 60
_BAND = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class LabelledAccuracy:
    """What is read with so many labels.

    Attributes
    ----------
    labels : int
        Labelled rows of the attacker.
    low, balanced_accuracy, high : float
        The middle, and the ends of the band of 90 of 100.
    """

    labels: int
    low: float
    balanced_accuracy: float
    high: float


@dataclass(frozen=True)
class LabelForecast:
    """A learning curve, and what lies beyond it.

    Attributes
    ----------
    attacker : str
        Whose.
    measured : tuple of LabelledAccuracy
        By number of labels.
    checked : LabelledAccuracy
        What the curve without its last point forecasts for that.
    holds : bool
        Whether the last point lies in that band.
    beyond : tuple of LabelledAccuracy
        With 10 and 100 times the labels; empty unless `holds`.
    """

    attacker: str
    measured: tuple[LabelledAccuracy, ...]
    checked: LabelledAccuracy
    holds: bool
    beyond: tuple[LabelledAccuracy, ...]


def label_forecast(
    attacker: Attacker, name: str, X: FloatArray, task: ClassTask, truth: TrueLabels, seed: int
) -> LabelForecast | None:
    """Draw the learning curve of an attacker and continue it.

    Parameters
    ----------
    attacker : Attacker
        With fixed parameters.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d)
        Prepared rows.
    task : ClassTask
        What is read.
    truth : TrueLabels
        Of the test rows.
    seed : int
        The seed.

    Returns
    -------
    LabelForecast or None
        None with fewer than five different numbers of labels, or if a fit failed throughout.
    """
    last = len(task.train)
    if last <= _FEWEST_LABELS:
        return None
    counts = sorted({round(float(m)) for m in np.geomspace(_FEWEST_LABELS, last, _POINTS)})
    parts = [
        predict_parts(attacker, name, X, task, m, seed, _SEEDS if m < last else 1) for m in counts
    ]
    known = [(m, own) for m, own in zip(counts, parts, strict=True) if own]
    if len(known) < 5:
        return None
    labels = np.array([m for m, _ in known], dtype=np.float64)
    values = np.array([np.mean([balanced_accuracy(truth.y, p) for p in own]) for _, own in known])
    draws = np.stack([truth.draws(np.stack(own, axis=1)).mean(axis=1) for _, own in known], axis=1)[
        :_DRAWS
    ]
    chance = task.chance
    check = continued(labels[:-1], draws[:, :-1], labels[-1:], chance)
    beyond = continued(labels, draws, labels[-1] * np.array(TIMES), chance)
    if check is None or beyond is None:
        return None
    holds = check[0].low <= values[-1] <= check[0].high
    bands = np.quantile(draws, _BAND, axis=0)
    return LabelForecast(
        attacker=f"{attacker.name}, {name}",
        measured=tuple(
            LabelledAccuracy(int(m), min(low, value), float(value), max(high, value))
            for m, value, (low, _, high) in zip(labels, values, bands.T.tolist(), strict=True)
        ),
        checked=check[0],
        holds=bool(holds),
        beyond=tuple(beyond) if holds else (),
    )


def continued(
    labels: FloatArray, draws: FloatArray, at: FloatArray, chance: float
) -> list[LabelledAccuracy] | None:
    """Continue curves by both families.

    Parameters
    ----------
    labels : ndarray of shape (p,)
        Numbers of labels.
    draws : ndarray of shape (draws, p)
        Balanced accuracy in each bootstrap draw.
    at : ndarray of shape (q,)
        Where to continue to.
    chance : float
        A guess.

    Returns
    -------
    list of LabelledAccuracy, or None
        The band at each; None if no fit succeeded.
    """
    found = [
        fitted
        for draw in draws
        for family in (_power_law, _saturating)
        if (fitted := _fit(family, labels, draw, at, chance)) is not None
    ]
    if not found:
        return None
    low, middle, high = np.quantile(np.clip(found, chance, 1.0), _BAND, axis=0)
    return [
        LabelledAccuracy(int(m), float(a), float(b), float(c))
        for m, a, b, c in zip(at, low, middle, high, strict=True)
    ]


Family = Callable[..., FloatArray]


def _power_law(m: FloatArray, top: float, drop: float, power: float) -> FloatArray:
    """Rise to a top by a power of the labels, in units of the fewest labels."""
    return np.asarray(top - drop * m**-power)


def _saturating(m: FloatArray, rise: float, half: float, power: float) -> FloatArray:
    """Start at chance, rise, and level off once labels pass a number."""
    return np.asarray(rise * (1 - (1 + m / half) ** -power))


def _fit(
    family: Family, labels: FloatArray, draw: FloatArray, at: FloatArray, chance: float
) -> FloatArray | None:
    lead, unit = draw - chance, labels[0]
    most = 1 - chance
    start, bounds = {
        _power_law: ((max(lead[-1], 0.01), 0.05, 0.5), ((-0.05, 0, 0.02), (most, 2, 2))),
        _saturating: ((max(lead[-1], 0.01), 10.0, 0.7), ((-0.05, 0.1, 0.05), (most, 1e4, 3))),
    }[family]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            parameters, _ = curve_fit(
                family, labels / unit, lead, p0=start, bounds=bounds, max_nfev=200
            )
    except (RuntimeError, ValueError):
        return None
    return np.asarray(chance + family(at / unit, *parameters))
