"""From the trials of a battery to its result: every attacker, and the strongest.

A battery is all attackers of one attribute on one representation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.audit.attack import Trial
from sensitivenets.audit.metrics import (
    TrueLabels,
    TrueValues,
    balanced_accuracy,
    mean_auc,
    r_squared,
    strongest_of,
)
from sensitivenets.audit.preparations import ALL_PREPARATIONS, BITS, DIGITS
from sensitivenets.audit.results import (
    MAJORITY,
    MEAN,
    VOTING_ENSEMBLE,
    AttackerResult,
    BatteryResult,
    Headline,
    RegressionResult,
    RegressorResult,
)
from sensitivenets.audit.tasks import ClassTask, NumberTask
from sensitivenets.embeddings import FloatArray

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


def summarise_classes(
    representation: str,
    trials: Sequence[Trial],
    task: ClassTask,
    truth: TrueLabels,
    notes: tuple[str, ...] = (),
) -> Battery:
    """Join the trials of one representation with the majority class and the voting ensemble.

    Parameters
    ----------
    representation : str
        Name for `BatteryResult`.
    trials : sequence of Trial
        Failed ones included.
    task : ClassTask
        What was read.
    truth : TrueLabels
        Of the test rows.
    notes : tuple of str
        About the representation.

    Returns
    -------
    Battery
        See there.
    """
    ensemble = voting_ensemble(trials, task)
    everyone = [_majority(task), *trials, *([ensemble] if ensemble else [])]
    working = [trial for trial in everyone if trial.outputs is not None]
    predictions = np.stack([trial.predictions for trial in working], axis=1)
    draws = truth.draws(predictions)
    column = {id(trial): k for k, trial in enumerate(working)}
    attackers = tuple(
        _classes_read(trial, truth, draws[:, column[id(trial)]] if id(trial) in column else None)
        for trial in everyone
    )
    validated = [attacker for attacker in attackers if attacker.validation is not None]
    headline = headline_of(working, predictions, truth)
    if not headline.above_chance:
        notes = (*notes, f"no attacker reads {task.name} better than noise would")
    digits = [a for a in attackers if a.preparation == BITS and a.balanced_accuracy is not None]
    notes += tuple(
        f"the digits of the numbers tell {task.name} ({100 * (a.balanced_accuracy or 0):.1f} %): "
        "low bits, signs of zero, rounding or copies; write rounded values, as `transform` does"
        for a in digits
        if (a.balanced_accuracy or 0) > headline.noise_bound
    )
    notes += _written_digits(attackers, task.name)
    result = BatteryResult(
        representation=representation,
        strongest=headline,
        selected=max(validated, key=lambda a: a.validation or 0.0) if validated else None,
        attackers=attackers,
        notes=notes,
    )
    values = np.array([balanced_accuracy(truth.y, predicted) for predicted in predictions.T])
    return Battery(result, tuple(working), predictions, values, draws)


def _written_digits(attackers: Sequence[AttackerResult], name: str) -> tuple[str, ...]:
    """Say that digits tell surely more than all values do: no network puts it there."""
    of_values = max(
        a.balanced_accuracy or 0.0
        for a in attackers
        if a.preparation not in {BITS, DIGITS} and a.attacker != VOTING_ENSEMBLE
    )
    return tuple(
        f"single binary digits tell {name} ({100 * (a.balanced_accuracy or 0):.1f} %) better than "
        f"the values they are part of ({100 * of_values:.1f} %): somebody wrote it there; find out "
        "who made the table, and how"
        for a in attackers
        if a.preparation == DIGITS and (a.low or 0.0) > of_values
    )


def summarise_numbers(
    representation: str, trials: Sequence[Trial], task: NumberTask, truth: TrueValues
) -> RegressionResult:
    """Join the trials of one representation with the mean predictor.

    Parameters
    ----------
    representation : str
        Name for `RegressionResult`.
    trials : sequence of Trial
        Failed ones included.
    task : NumberTask
        What was read.
    truth : TrueValues
        Of the test rows.

    Returns
    -------
    RegressionResult
        See there.
    """
    mean = Trial(MEAN, "none", np.full((len(task.test), 1), task.mean))
    attackers = tuple(_numbers_read(trial, truth) for trial in (mean, *trials))
    working = [attacker for attacker in attackers if attacker.r2 is not None]
    strongest = max(working, key=lambda a: -np.inf if a.r2 is None else a.r2)
    return RegressionResult(representation, strongest, attackers)


def headline_of(
    trials: Sequence[Trial],
    predictions: npt.NDArray[np.int64],
    truth: TrueLabels,
    n_tests: int = 1,
) -> Headline:
    """Name the strongest of these trials (see `Headline`), for one of several looks at them."""
    best = strongest_of(truth, predictions, n_tests)
    return Headline(
        attacker=trials[best.column].attacker,
        preparation=trials[best.column].preparation,
        balanced_accuracy=best.value,
        low=best.low,
        high=best.high,
        n=len(truth.y),
        noise_bound=best.noise_bound,
        above_chance=best.value > best.noise_bound,
    )


def selected_trial(battery: Battery) -> Trial | None:
    """Return the attacker of the table's values alone, no ensemble, that validates best."""
    single = [t for t in battery.trials if t.validation is not None]
    single = [t for t in single if t.preparation in ALL_PREPARATIONS]
    single = [t for t in single if t.attacker != VOTING_ENSEMBLE]
    return max(single, key=lambda trial: trial.validation or 0.0) if single else None


def _majority(task: ClassTask) -> Trial:
    counts = task.counts(task.train)
    return Trial(MAJORITY, "none", np.tile(counts / counts.sum(), (len(task.test), 1)))


def _classes_read(trial: Trial, truth: TrueLabels, draws: FloatArray | None) -> AttackerResult:
    value, low, high, auc = None, None, None, None
    if trial.outputs is not None and draws is not None:
        value = balanced_accuracy(truth.y, trial.predictions)
        low, high = truth.interval(value, draws)
        auc = mean_auc(truth.y, trial.outputs)
    return AttackerResult(
        attacker=trial.attacker,
        preparation=trial.preparation,
        balanced_accuracy=value,
        low=low,
        high=high,
        auc=auc,
        n=len(truth.y),
        validation=trial.validation,
        parameters=trial.parameters,
        notes=trial.notes,
    )


def _numbers_read(trial: Trial, truth: TrueValues) -> RegressorResult:
    r2, low, high, mae = None, None, None, None
    if trial.outputs is not None:
        predicted = trial.outputs[:, 0]
        r2 = r_squared(truth.y, predicted)
        low, high = truth.interval(predicted)
        mae = float(np.mean(np.abs(truth.y - predicted)))
    return RegressorResult(
        attacker=trial.attacker,
        preparation=trial.preparation,
        r2=r2,
        low=low,
        high=high,
        mae=mae,
        n=len(truth.y),
        validation=trial.validation,
        notes=trial.notes,
    )


def voting_ensemble(trials: Sequence[Trial], task: ClassTask) -> Trial | None:
    """Average the scores of the five attackers with the best validation figures.

    Attackers of one kind on several preparations count once: their errors are the same.

    Parameters
    ----------
    trials : sequence of Trial
        A battery.
    task : ClassTask
        What was read.

    Returns
    -------
    Trial or None
        None if fewer than two attackers could be validated.
    """
    best: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: -(trial.validation or 0.0)):
        if trial.outputs is not None and trial.validation_outputs is not None:
            best.setdefault(trial.attacker, trial)
    members = list(best.values())[:_MEMBERS]
    if len(members) < 2:
        return None
    held_out = _average([member.validation_outputs for member in members])
    names = [f"{member.attacker}, {member.preparation}" for member in members]
    return Trial(
        VOTING_ENSEMBLE,
        "several",
        _average([member.outputs for member in members]),
        task.rate(task.validate, held_out),
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
