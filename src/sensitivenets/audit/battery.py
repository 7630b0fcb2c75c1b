"""From the trials of a battery to its result: every attacker, and the strongest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.audit.attackers.catalogue import MAJORITY
from sensitivenets.audit.results import AttackerResult, BatteryResult, Headline
from sensitivenets.audit.scores import AttackedSet, balanced_accuracy, mean_auc, strongest_score
from sensitivenets.audit.tasks import AttackTask
from sensitivenets.audit.trials import Trial
from sensitivenets.embeddings import FloatArray

COMMITTEE = "committee"
_MEMBERS = 5


@dataclass(frozen=True)
class Battery:
    """Attackers of one attribute on one representation, with what comparisons need.

    Attributes
    ----------
    result : BatteryResult
        What is reported.
    trials : tuple of Trial
        Those that did not fail, in the order of the columns below.
    predictions : ndarray of shape (test rows, attackers)
        Class codes.
    values : ndarray of shape (attackers,)
        Balanced accuracy.
    draws : ndarray of shape (draws, attackers)
        Balanced accuracy in each bootstrap draw.
    """

    result: BatteryResult
    trials: tuple[Trial, ...]
    predictions: npt.NDArray[np.int64]
    values: FloatArray
    draws: FloatArray

    @property
    def best(self) -> int:
        """Column of the strongest."""
        return int(np.argmax(self.values))


def summarise(
    representation: str,
    trials: Sequence[Trial],
    task: AttackTask,
    test: AttackedSet,
    notes: tuple[str, ...] = (),
) -> Battery:
    """Join the trials of one representation with the majority class and the committee.

    Parameters
    ----------
    representation : str
        Name for `BatteryResult`.
    trials : sequence of Trial
        Failed ones included.
    task : AttackTask
        What was read.
    test : AttackedSet
        The labels attacked.
    notes : tuple of str
        About the representation.

    Returns
    -------
    Battery
        See there.
    """
    joined = committee(trials, task)
    everyone = [_majority(task), *trials, *([joined] if joined else [])]
    working = [trial for trial in everyone if trial.predictions is not None]
    predictions = np.stack([trial.predictions for trial in working], axis=1)  # type: ignore[misc]
    draws = test.draws(predictions)
    column = {id(trial): k for k, trial in enumerate(working)}
    attackers = tuple(
        _report(trial, test, draws[:, column[id(trial)]] if id(trial) in column else None)
        for trial in everyone
    )
    validated = [attacker for attacker in attackers if attacker.validation is not None]
    headline = headline_of(working, predictions, test)
    if not headline.above_chance:
        notes = (*notes, f"no attacker reads {task.name} better than noise would")
    result = BatteryResult(
        representation=representation,
        strongest=headline,
        selected=max(validated, key=lambda a: a.validation or 0.0) if validated else None,
        attackers=attackers,
        notes=notes,
    )
    values = np.array([balanced_accuracy(test.y, predicted) for predicted in predictions.T])
    return Battery(result, tuple(working), predictions, values, draws)


def headline_of(
    trials: Sequence[Trial], predictions: npt.NDArray[np.int64], test: AttackedSet
) -> Headline:
    """Name the strongest of these trials (see `Headline`)."""
    best = strongest_score(test, predictions)
    return Headline(
        attacker=trials[best.column].attacker,
        preparation=trials[best.column].preparation,
        balanced_accuracy=best.value,
        low=best.low,
        high=best.high,
        n=len(test.y),
        noise_bound=best.noise_bound,
        above_chance=best.value > best.noise_bound,
    )


def selected_trial(battery: Battery) -> Trial | None:
    """Return the single attacker, no committee, with the best validation figure."""
    single = [t for t in battery.trials if t.validation is not None and t.attacker != COMMITTEE]
    return max(single, key=lambda trial: trial.validation or 0.0) if single else None


def _majority(task: AttackTask) -> Trial:
    counts = np.bincount(task.y[task.train], minlength=len(task.classes))
    scores = np.tile(counts / counts.sum(), (len(task.test), 1))
    return Trial(MAJORITY, "none", scores, scores.argmax(axis=1))


def _report(trial: Trial, test: AttackedSet, draws: FloatArray | None) -> AttackerResult:
    value, low, high, auc = None, None, None, None
    if trial.predictions is not None and trial.scores is not None and draws is not None:
        value = balanced_accuracy(test.y, trial.predictions)
        low, high = test.interval(value, draws)
        auc = mean_auc(test.y, trial.scores)
    return AttackerResult(
        attacker=trial.attacker,
        preparation=trial.preparation,
        balanced_accuracy=value,
        low=low,
        high=high,
        auc=auc,
        n=len(test.y),
        validation=trial.validation,
        parameters=trial.parameters,
        notes=trial.notes,
    )


def committee(trials: Sequence[Trial], task: AttackTask) -> Trial | None:
    """Average the scores of the five attackers with the best validation figures.

    Attackers of one kind on several preparations count once: their errors are the same.

    Parameters
    ----------
    trials : sequence of Trial
        A battery.
    task : AttackTask
        What was read.

    Returns
    -------
    Trial or None
        None if fewer than two attackers could be validated.
    """
    best: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: -(trial.validation or 0.0)):
        if trial.scores is not None and trial.validation_scores is not None:
            best.setdefault(trial.attacker, trial)
    members = list(best.values())[:_MEMBERS]
    if len(members) < 2:
        return None
    scores = _average([member.scores for member in members])
    held_out = _average([member.validation_scores for member in members])
    validation = balanced_accuracy(task.y[task.validate], held_out.argmax(axis=1))
    names = [f"{member.attacker}, {member.preparation}" for member in members]
    return Trial(
        COMMITTEE,
        "several",
        scores,
        scores.argmax(axis=1),
        validation,
        held_out,
        {"members": names},
    )


def _average(scores: Sequence[FloatArray | None]) -> FloatArray:
    """Mean of log-posterior-like scores in units of their own spread; ties stay at zero."""
    total = 0.0
    for member in scores:
        assert member is not None
        centred = member - member.mean(axis=1, keepdims=True)
        total = total + centred / max(float(centred.std()), 1e-12)
    return np.asarray(total) / len(scores)
