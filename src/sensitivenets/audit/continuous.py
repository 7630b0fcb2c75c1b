"""A continuous attribute, before and after: R2 and mean absolute error of the best regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sensitivenets.audit.preparations import STANDARDISED, WHITENED, Preparations
from sensitivenets.audit.regressors import (
    Prediction,
    Regressor,
    Values,
    r_squared,
    regressors,
    run_regressor,
)
from sensitivenets.audit.results import (
    AFTER,
    BEFORE,
    INVERTED,
    SHUFFLED,
    ContinuousResult,
    RegressionResult,
    RegressorResult,
)
from sensitivenets.audit.scores import AttackedSet
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.audit.tasks import hold_out, seed_of
from sensitivenets.audit.workers import run_jobs
from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.intervals import percentile_interval
from sensitivenets.progress import Steps

MEAN = "mean predictor"
_PREPARATIONS = (STANDARDISED, WHITENED)
# R2 that shuffled values may reach by luck, and that the first table must pass to prove anything.
_CLEARLY_ABOVE = 0.02


def make_values(name: str, y: FloatArray, split: Split, seed: int) -> Values:
    """Select the rows where the attribute is known.

    Parameters
    ----------
    name : str
        Name of the attribute.
    y : ndarray of shape (rows of the table,)
        Values, NaN where unknown.
    split : Split
        Training and test rows.
    seed : int
        Decides which identities are held out to tune.

    Returns
    -------
    Values
        By row of the prepared arrays.

    Raises
    ------
    InputError
        If fewer than two values are known on a side, or all are equal.
    """
    order = np.concatenate([split.train, split.test])
    ordered = np.asarray(y, dtype=np.float64)[order]
    known = np.isfinite(ordered)
    n_train = len(split.train)
    train, test = np.flatnonzero(known[:n_train]), n_train + np.flatnonzero(known[n_train:])
    for side, rows in (("training", train), ("test", test)):
        if len(rows) < 2 or np.ptp(ordered[rows]) == 0:
            raise InputError(
                f"attribute {name!r}: expected at least two different values on the {side} rows, "
                f"found {len(np.unique(ordered[rows]))} in {len(rows)} known rows; "
                "split otherwise or leave the attribute out"
            )
    tune, validate = hold_out(train, split.identities(len(y))[order], seed)
    return Values(name, ordered, train, test, tune, validate)


def attack_values(
    values: Values,
    representations: Mapping[str, Preparations],
    identities: IntArray,
    *,
    seed: int,
    n_jobs: int,
    steps: Steps,
) -> ContinuousResult:
    """Run every regressor on every representation, and on shuffled values.

    Parameters
    ----------
    values : Values
        What to read.
    representations : mapping of str to Preparations
        ``"before"``, and ``"after"`` and ``"inverted"`` where there are.
    identities : ndarray
        Identity of each prepared row.
    seed : int
        Decides everything.
    n_jobs : int
        Processes.
    steps : Steps
        Told of each.

    Returns
    -------
    ContinuousResult
        See there.
    """
    jobs, shuffled = [], _shuffled(values, seed)
    for name in (BEFORE, AFTER, INVERTED, SHUFFLED):
        prepared = representations.get(BEFORE if name == SHUFFLED else name)
        target = shuffled if name == SHUFFLED else values
        if prepared is not None:
            jobs += _jobs_on(name, prepared, target, seed)
    steps.total += len(jobs)
    found = run_jobs(
        run_regressor,
        [arguments for _, arguments in jobs],
        costs=[arguments[0].cost for _, arguments in jobs],
        names=[f"{values.name}, {name}: {arguments[0].name}" for name, arguments in jobs],
        n_jobs=n_jobs,
        steps=steps,
    )
    by_name: dict[str, list[Prediction]] = {}
    for (name, _), prediction in zip(jobs, found, strict=True):
        by_name.setdefault(name, []).append(prediction)
    rows = AttackedSet.make(
        np.zeros(len(values.test), dtype=np.int64), 1, identities[values.test], seed
    )
    results = {
        name: _summarise(
            name, by_name.get(name, []), shuffled if name == SHUFFLED else values, rows
        )
        for name in (BEFORE, AFTER, INVERTED, SHUFFLED)
        if name == SHUFFLED or name in representations
    }
    return _join(values, results)


def _jobs_on(
    name: str, prepared: Preparations, values: Values, seed: int
) -> list[tuple[str, tuple[Regressor, str, FloatArray, Values, int]]]:
    jobs = []
    attackers = regressors()
    if name == SHUFFLED:
        attackers = tuple(a for a in attackers if a.cost <= 1)
    for attacker in attackers:
        for preparation in _PREPARATIONS:
            if preparation in prepared.by_name:
                rows = prepared.by_name[preparation]
                X = rows.coordinates if attacker.sees_coordinates else rows.rotated
                jobs.append((name, (attacker, preparation, X, values, seed)))
    return jobs


def _shuffled(values: Values, seed: int) -> Values:
    rng = np.random.default_rng(seed_of(seed, values.name, "shuffled"))
    rows = np.concatenate([values.train, values.test])
    y = values.y.copy()
    y[rows] = rng.permutation(y[rows])
    return replace(values, y=y)


def _summarise(
    name: str, predictions: Sequence[Prediction], values: Values, rows: AttackedSet
) -> RegressionResult:
    truth = values.y[values.test]
    mean = np.full(len(truth), values.y[values.train].mean())
    everyone = [Prediction(MEAN, "none", mean), *predictions]
    attackers = tuple(_report(prediction, truth, rows) for prediction in everyone)
    working = [attacker for attacker in attackers if attacker.r2 is not None]
    return RegressionResult(
        name, max(working, key=lambda a: -np.inf if a.r2 is None else a.r2), attackers
    )


def _report(prediction: Prediction, truth: FloatArray, rows: AttackedSet) -> RegressorResult:
    r2, low, high, mae = None, None, None, None
    if prediction.values is not None:
        r2 = r_squared(truth, prediction.values)
        low, high = percentile_interval(_r2_draws(truth, prediction.values, rows))
        low, high = min(low, r2), max(high, r2)
        mae = float(np.mean(np.abs(truth - prediction.values)))
    return RegressorResult(
        prediction.attacker,
        prediction.preparation,
        r2,
        low,
        high,
        mae,
        len(truth),
        prediction.validation,
        prediction.notes,
    )


def _r2_draws(truth: FloatArray, predicted: FloatArray, rows: AttackedSet) -> FloatArray:
    """R2 in each bootstrap draw of the identities."""
    columns = np.stack([np.ones_like(truth), truth, truth**2, (truth - predicted) ** 2], axis=1)
    sums = np.zeros((rows.n_identities, 4))
    np.add.at(sums, rows.identities, columns)
    n, total, squares, errors = (rows.weights @ sums).T
    spread = squares - total**2 / n
    return np.asarray(1 - errors / np.maximum(spread, 1e-300))


def _join(values: Values, results: Mapping[str, RegressionResult]) -> ContinuousResult:
    before, after, inverted = (results.get(name) for name in (BEFORE, AFTER, INVERTED))
    shuffled = results[SHUFFLED]
    assert before is not None
    mean = values.y[values.train].mean()
    reads = before.strongest.r2 or 0.0
    left = [side.strongest.r2 or 0.0 for side in (after, inverted) if side is not None]
    reasons = []
    lucky = shuffled.strongest
    if (lucky.r2 or 0.0) > _CLEARLY_ABOVE and (lucky.low or 0.0) > 0:
        reasons.append(f"the audit is broken: shuffled values are read with R2 {lucky.r2:.3f}")
    clear = reads > _CLEARLY_ABOVE and (before.strongest.low or 0.0) > 0
    if not clear:
        reasons.append(
            f"the strongest attacker reads {values.name} from the first table with R2 "
            f"{reads:.3f}: it is not there, or the attackers are too weak"
        )
    return ContinuousResult(
        name=values.name,
        n_train=len(values.train),
        n_test=len(values.test),
        mean_predictor_mae=float(np.mean(np.abs(values.y[values.test] - mean))),
        before=before,
        after=after,
        inverted=inverted,
        shuffled=shuffled,
        reduction=1 - max(left) / reads if left and clear else None,
        trustworthy=not reasons,
        reasons=tuple(reasons),
    )
