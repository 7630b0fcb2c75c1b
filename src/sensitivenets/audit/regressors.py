"""Attackers of a continuous attribute, such as age: scikit-learn regressors, tuned likewise."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR

from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import seed_of
from sensitivenets.audit.trials import seeded
from sensitivenets.embeddings import FloatArray

_SVR_ROWS = 10_000


class RelativeSVR(SVR):
    """RBF support vector regression with gamma relative to the spread of its training rows.

    Parameters
    ----------
    gamma_factor : float
        As in `RelativeSVC`.
    C : float
        Penalty of an error, in standard deviations of the attribute.
    """

    def __init__(self, gamma_factor: float = 1.0, C: float = 1.0) -> None:
        self.gamma_factor = gamma_factor
        super().__init__(C=C, epsilon=0.2, cache_size=300)

    def fit(self, X: FloatArray, y: FloatArray) -> RelativeSVR:
        """Fit on rows of shape (n, d) with values of shape (n,)."""
        spread = float(np.sum(np.var(X, axis=0, dtype=np.float64)))
        self.gamma = self.gamma_factor / max(spread, 1e-12)
        super().fit(X, y)
        return self


@dataclass(frozen=True)
class Regressor:
    """One family of attackers of a continuous attribute.

    Attributes
    ----------
    name : str
        As shown in reports.
    candidates : tuple of estimator
        The best on held-out identities is taken.
    sees_coordinates : bool
        As in `Attacker`.
    max_rows : int
        Training rows it can take.
    cost : float
        Rough seconds.
    """

    name: str
    candidates: tuple[RegressorMixin, ...]
    sees_coordinates: bool = False
    max_rows: int = 50_000
    cost: float = 1.0


def regressors() -> tuple[Regressor, ...]:
    """Return the attackers of a continuous attribute."""
    boosted = HistGradientBoostingRegressor(max_iter=80, max_leaf_nodes=15, early_stopping=False)
    networks = tuple(
        MLPRegressor(hidden_layer_sizes=(256,), alpha=1.0, max_iter=epochs, batch_size=256, tol=0.0)
        for epochs in (6, 20)
    )
    machines = tuple(RelativeSVR(g, C) for g, C in ((0.5, 1.0), (1.0, 1.0), (1.0, 4.0)))
    return (
        Regressor("ridge regression", tuple(Ridge(alpha) for alpha in (10.0, 100.0, 1000.0))),
        Regressor("RBF-SVR", machines, max_rows=_SVR_ROWS, cost=15),
        Regressor("histogram gradient boosting", (boosted,), sees_coordinates=True, cost=4),
        Regressor("nearest neighbours", tuple(KNeighborsRegressor(k) for k in (5, 25, 75))),
        Regressor("MLP", networks, cost=4),
    )


@dataclass(frozen=True)
class Values:
    """A continuous attribute to be read, by row of the prepared arrays.

    Attributes
    ----------
    name : str
        The attribute.
    y : ndarray of shape (n,)
        Values, NaN where unknown.
    train, test, tune, validate : ndarray of int64
        Rows, as in `Task`.
    """

    name: str
    y: FloatArray
    train: IntArray
    test: IntArray
    tune: IntArray
    validate: IntArray


@dataclass(frozen=True)
class Prediction:
    """What one regressor predicted for the test rows; None if it failed."""

    attacker: str
    preparation: str
    values: FloatArray | None
    validation: float | None = None
    notes: tuple[str, ...] = ()


def run_regressor(
    attacker: Regressor, name: str, X: FloatArray, values: Values, seed: int
) -> Prediction:
    """Tune, fit and predict; an exception becomes a note.

    Parameters
    ----------
    attacker : Regressor
        Who attacks.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d)
        The prepared rows.
    values : Values
        What is to be read.
    seed : int
        Decides everything, together with the names.

    Returns
    -------
    Prediction
        Never raises for what the attacker does.
    """
    seed = seed_of(seed, attacker.name, name, values.name)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # epochs are a parameter, not a limit
        try:
            return _run(attacker, name, X, values, seed)
        except Exception as error:  # noqa: BLE001 - an attacker may fail in any way; it is reported
            reason = f"failed: {type(error).__name__}: {error}".splitlines()[0]
            return Prediction(attacker.name, name, None, notes=(reason,))


def _run(attacker: Regressor, name: str, X: FloatArray, values: Values, seed: int) -> Prediction:
    best, validation = 0, None
    if len(values.validate):
        truth = values.y[values.validate]
        tried = [
            r_squared(truth, _predict(candidate, X, values, values.tune, values.validate, seed))
            for candidate in attacker.candidates
        ]
        best = int(np.argmax(tried))
        validation = tried[best]
    rows = np.random.default_rng(seed).permutation(values.train)[: attacker.max_rows]
    notes = (f"trained on {len(rows)} of {len(values.train)} rows",)
    predicted = _predict(attacker.candidates[best], X, values, np.sort(rows), values.test, seed)
    if not np.isfinite(predicted).all():
        raise FloatingPointError("predictions are not finite")
    return Prediction(
        attacker.name, name, predicted, validation, notes if len(rows) < len(values.train) else ()
    )


def r_squared(truth: FloatArray, predicted: FloatArray) -> float:
    """1 - squared error / squared distance to the mean: 1 is perfect, 0 the mean."""
    total = float(np.sum((truth - truth.mean()) ** 2))
    return 1 - float(np.sum((truth - predicted) ** 2)) / max(total, 1e-300)


def _predict(
    estimator: Any, X: FloatArray, values: Values, train: IntArray, test: IntArray, seed: int
) -> FloatArray:
    y = values.y[train]
    mean, deviation = y.mean(), max(float(y.std()), 1e-300)
    model = seeded(estimator, seed)
    model.fit(X[train].astype(np.float64), (y - mean) / deviation)
    return np.asarray(mean + deviation * model.predict(X[test].astype(np.float64)))
