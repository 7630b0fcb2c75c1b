"""One trial: an attacker chooses its parameters, is fitted again on all it may see, and attacks."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning

from sensitivenets.audit.attackers.catalogue import Attacker
from sensitivenets.audit.scores import balanced_accuracy
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import AttackTask, seed_of
from sensitivenets.embeddings import FloatArray


@dataclass(frozen=True)
class Trial:
    """What one attacker achieved on one preparation.

    Attributes
    ----------
    attacker, preparation : str
        Which.
    scores : ndarray of shape (test rows, K), or None
        Higher means more of that class; None if the attacker failed.
    predictions : ndarray of shape (test rows,), or None
        Class codes.
    validation : float or None
        Balanced accuracy on the validation rows.
    validation_scores : ndarray of shape (validation rows, K), or None
        Scores there.
    parameters : dict
        The parameters chosen.
    notes : tuple of str
        Failures and warnings.
    """

    attacker: str
    preparation: str
    scores: FloatArray | None
    predictions: IntArray | None
    validation: float | None = None
    validation_scores: FloatArray | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def run_trial(attacker: Attacker, name: str, X: FloatArray, task: AttackTask, seed: int) -> Trial:
    """Tune, fit and attack; an exception becomes a note.

    Parameters
    ----------
    attacker : Attacker
        Who attacks.
    name : str
        Name of the preparation.
    X : ndarray of shape (n, d), float32
        The prepared rows.
    task : AttackTask
        What is to be read.
    seed : int
        Decides everything, together with the names.

    Returns
    -------
    Trial
        Never raises for what the attacker does.
    """
    seed = seed_of(seed, attacker.name, name, task.name)
    with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
        warnings.simplefilter("always")
        try:
            trial = _attack(attacker, name, X, task, seed)
        except Exception as error:  # noqa: BLE001 - an attacker may fail in any way; it is reported
            reason = f"failed: {type(error).__name__}: {error}".splitlines()[0]
            trial = Trial(attacker.name, name, None, None, notes=(reason,))
    notes = dict.fromkeys([*trial.notes, *_describe(caught)])
    return Trial(**{**trial.__dict__, "notes": tuple(notes)})


def class_scores(
    estimator: ClassifierMixin, X: FloatArray, n_classes: int, prior: FloatArray | None
) -> FloatArray:
    """Scores of shape (n, n_classes), to be compared within a row; an unknown class gets -inf-like.

    Parameters
    ----------
    estimator : classifier
        Fitted on codes 0 to n_classes - 1, perhaps not all of them.
    X : ndarray of shape (n, d)
        Rows.
    n_classes : int
        K.
    prior : ndarray of shape (K,), or None
        Training shares to divide out of log posteriors.

    Returns
    -------
    ndarray
        Margins, or log probabilities.
    """
    if hasattr(estimator, "decision_function"):
        known = np.asarray(estimator.decision_function(X), dtype=np.float64)
        if known.ndim == 1:
            known = np.stack([-known / 2, known / 2], axis=1)
    elif hasattr(estimator, "predict_proba"):
        known = np.log(np.maximum(estimator.predict_proba(X), 1e-12))
    else:
        known = (estimator.predict(X)[:, None] == estimator.classes_).astype(np.float64)
    codes = np.asarray(estimator.classes_, dtype=np.int64)
    scores = np.full((len(X), n_classes), known.min(initial=0.0) - 1.0)
    scores[:, codes] = known
    if prior is not None:
        scores -= np.log(np.maximum(prior, 1e-12))
    return scores


def _attack(attacker: Attacker, name: str, X: FloatArray, task: AttackTask, seed: int) -> Trial:
    validation, chosen, validation_scores = None, attacker.candidates[0], None
    if len(task.validate):
        tried = [
            _validate(attacker, estimator, X, task, seed) for _, estimator in attacker.candidates
        ]
        best = int(np.argmax([score for score, _ in tried]))
        chosen, (validation, validation_scores) = attacker.candidates[best], tried[best]
    rows, notes = _affordable(task.train, attacker.max_rows, seed)
    scores = _fit_and_score(
        attacker, chosen[1], X, task, rows, task.test, seed, n_seeds=attacker.n_seeds
    )
    return Trial(
        attacker.name,
        name,
        scores,
        scores.argmax(axis=1),
        validation,
        validation_scores,
        chosen[0],
        notes,
    )


def _validate(
    attacker: Attacker, estimator: ClassifierMixin, X: FloatArray, task: AttackTask, seed: int
) -> tuple[float, FloatArray]:
    scores = _fit_and_score(attacker, estimator, X, task, task.tune, task.validate, seed, n_seeds=1)
    return balanced_accuracy(task.y[task.validate], scores.argmax(axis=1)), scores


def _fit_and_score(
    attacker: Attacker,
    estimator: ClassifierMixin,
    X: FloatArray,
    task: AttackTask,
    train: IntArray,
    test: IntArray,
    seed: int,
    *,
    n_seeds: int,
) -> FloatArray:
    n_classes = len(task.classes)
    prior = np.bincount(task.y[train], minlength=n_classes) / len(train)
    total = np.zeros((len(test), n_classes))
    for k in range(n_seeds):
        model = seeded(estimator, seed + k, always=attacker.n_seeds > 1)
        model.fit(np.asarray(X[train], dtype=np.float64), task.y[train])
        total += class_scores(
            model,
            np.asarray(X[test], dtype=np.float64),
            n_classes,
            prior if attacker.corrects_prior else None,
        )
    return total / n_seeds


def seeded(estimator: ClassifierMixin, seed: int, *, always: bool = False) -> ClassifierMixin:
    """Clone an estimator and seed what takes a seed; one of its own is kept unless `always`."""
    model = clone(estimator)
    parameters = model.get_params(deep=True)
    unseeded = [
        key
        for key, value in parameters.items()
        if key.split("__")[-1] == "random_state" and (always or value is None)
    ]
    return model.set_params(**dict.fromkeys(unseeded, seed % 2**31))


def _affordable(rows: IntArray, max_rows: int, seed: int) -> tuple[IntArray, tuple[str, ...]]:
    if len(rows) <= max_rows:
        return rows, ()
    part = np.sort(np.random.default_rng(seed).permutation(rows)[:max_rows])
    return part, (f"trained on {max_rows} of {len(rows)} rows",)


def _describe(caught: list[warnings.WarningMessage]) -> list[str]:
    notes = []
    for warning in caught:
        text = str(warning.message).strip().splitlines()[0]
        if issubclass(warning.category, ConvergenceWarning):
            text = f"did not converge: {text}"
        notes.append(text)
    return notes
