"""Of whom an attribute is read: an average near chance can hide the people it is certain of.

Four looks at the trials of a battery. The confident subset and the detection rate at few false
alarms (Carlini et al., "Membership inference attacks from first principles", S&P 2022) ask how
right the surest answers are. Evidence is added over several templates of a person, as in
Osorio-Roig et al. (TBIOM 2022). And the strongest attacker is looked for inside each subgroup.

In the first two each person counts once, by the row an attacker is surest of, so that their
intervals and tests are exact. All bounds allow for every attacker and every look that was tried.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom, nhypergeom

from sensitivenets.audit.attack import Trial
from sensitivenets.audit.battery import Battery, headline_of
from sensitivenets.audit.metrics import TrueLabels
from sensitivenets.audit.results import (
    MAJORITY,
    BatteryResult,
    ConfidentSubset,
    Detection,
    SeveralTemplates,
    Subgroup,
)
from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.intervals import clopper_pearson

SHARES = (0.01, 0.05, 0.1)
FALSE_POSITIVE_RATES = (0.01, 0.001)
TEMPLATES = (1, 2, 5)
# A finding that luck makes in one audit of a hundred is called one.
_LUCK = 0.01
_FEWEST_OF_A_CLASS = 30
_FEWEST_PEOPLE = 10


def look_closer(
    battery: Battery,
    truth: TrueLabels,
    classes: Sequence[str],
    subgroups: Mapping[str, Labels],
) -> Battery:
    """Put the four looks into a finished battery.

    Parameters
    ----------
    battery : Battery
        All attackers of one attribute on one representation.
    truth : TrueLabels
        Of the test rows.
    classes : sequence of str
        Names of the classes.
    subgroups : mapping of str to Labels
        Other columns of the test rows.

    Returns
    -------
    Battery
        The same, with `confident`, `detections`, `several_templates` and `worst_subgroup`, and a
        note for what they find where no attacker is above chance on all rows.
    """
    confident = confident_subsets(battery.trials, truth)
    detections = detection_rates(battery.trials, truth, classes)
    templates = several_templates(battery.trials, truth)
    worst = worst_subgroup(battery.trials, truth, subgroups)
    result = replace(
        battery.result,
        confident=confident,
        detections=detections,
        several_templates=templates,
        worst_subgroup=worst,
    )
    if not result.strongest.above_chance:
        result = replace(result, notes=(*result.notes, *_what_the_average_hides(result)))
    return replace(battery, result=result)


def confident_subsets(trials: Sequence[Trial], truth: TrueLabels) -> tuple[ConfidentSubset, ...]:
    """Precision of the 1, 5 and 10 % of people that an attacker is surest of.

    Parameters
    ----------
    trials : sequence of Trial
        Those that did not fail.
    truth : TrueLabels
        Of the test rows.

    Returns
    -------
    tuple of ConfidentSubset
        One for each share, of the attacker least likely to be that right by luck.
    """
    people = [_surest_rows(trial, truth) for trial in _looking(trials)]
    found = []
    for share in SHARES:
        tried = [_precision(one, share, truth) for one in people]
        if not tried:
            continue
        best = min(tried, key=lambda one: one.by_luck)
        low, high = clopper_pearson(best.correct, best.n)
        found.append(
            ConfidentSubset(
                attacker=best.trial.attacker,
                preparation=best.trial.preparation,
                share=share,
                n=best.n,
                precision=best.correct / best.n,
                low=low,
                high=high,
                expected=best.expected,
                above_chance=best.by_luck * len(tried) * len(SHARES) < _LUCK,
            )
        )
    return tuple(found)


def detection_rates(
    trials: Sequence[Trial], truth: TrueLabels, classes: Sequence[str]
) -> tuple[Detection, ...]:
    """Share of the people of a class that is found with one false alarm in 100, and in 1 000.

    Parameters
    ----------
    trials : sequence of Trial
        Those that did not fail.
    truth : TrueLabels
        Of the test rows.
    classes : sequence of str
        Names of the classes.

    Returns
    -------
    tuple of Detection
        One for each rate of false alarms that the people of the other classes are enough for, of
        the attacker and class least likely to be found by luck.
    """
    people = [_surest_rows(trial, truth) for trial in _looking(trials)]
    found = []
    for rate in FALSE_POSITIVE_RATES:
        tried = [
            one
            for own in people
            for label in range(truth.n_classes)
            if (one := _detected(own, label, rate)) is not None
        ]
        if not tried:
            continue
        best = min(tried, key=lambda one: one.by_luck)
        low, high = clopper_pearson(best.correct, best.n)
        found.append(
            Detection(
                attacker=best.trial.attacker,
                preparation=best.trial.preparation,
                detected=classes[best.label],
                false_positive_rate=rate,
                true_positive_rate=best.correct / best.n,
                low=low,
                high=high,
                n=best.n,
                above_chance=best.by_luck * len(tried) * len(FALSE_POSITIVE_RATES) < _LUCK,
            )
        )
    return tuple(found)


def several_templates(trials: Sequence[Trial], truth: TrueLabels) -> tuple[SeveralTemplates, ...]:
    """Read each person from 1, 2, 5 and all of the test rows, the evidence added.

    Parameters
    ----------
    trials : sequence of Trial
        Those that did not fail.
    truth : TrueLabels
        Of the test rows.

    Returns
    -------
    tuple of SeveralTemplates
        Of the people who have that many rows; empty if none has two, or labels differ within
        people.
    """
    counts = np.bincount(truth.identities)
    label_of = np.zeros(len(counts), dtype=np.int64)
    label_of[truth.identities] = truth.y
    if counts.max() < 2 or not np.array_equal(label_of[truth.identities], truth.y):
        return ()
    found = []
    for templates in (*TEMPLATES, None):
        people = np.flatnonzero(counts >= (2 if templates is None else templates))
        if np.bincount(label_of[people], minlength=truth.n_classes).min() < _FEWEST_PEOPLE:
            continue
        own = TrueLabels.make(label_of[people], truth.n_classes, np.arange(len(people)), truth.seed)
        predictions = np.stack(
            [_added(trial, truth.identities, templates)[people] for trial in trials], axis=1
        )
        strongest = headline_of(trials, predictions, own, n_tests=len(TEMPLATES) + 1)
        found.append(SeveralTemplates(templates, strongest))
    return tuple(found)


def worst_subgroup(
    trials: Sequence[Trial], truth: TrueLabels, subgroups: Mapping[str, Labels]
) -> Subgroup | None:
    """Find the subgroup whose attribute is read best.

    Parameters
    ----------
    trials : sequence of Trial
        Those that did not fail.
    truth : TrueLabels
        Of the test rows.
    subgroups : mapping of str to Labels
        Other columns of the test rows.

    Returns
    -------
    Subgroup or None
        None if no value of a column has 30 test rows of each class.
    """
    predictions = np.stack([trial.predictions for trial in trials], axis=1)
    large = [
        (name, value, rows)
        for name, labels in subgroups.items()
        for code, value in enumerate(labels.classes)
        if len(rows := np.flatnonzero(labels.codes == code))
        and np.bincount(truth.y[rows], minlength=truth.n_classes).min() >= _FEWEST_OF_A_CLASS
    ]
    found = []
    for name, value, rows in large:
        own = TrueLabels.make(truth.y[rows], truth.n_classes, truth.identities[rows], truth.seed)
        strongest = headline_of(trials, predictions[rows], own, n_tests=len(large))
        found.append(Subgroup(name, value, strongest))
    return max(found, key=lambda one: one.strongest.balanced_accuracy, default=None)


@dataclass(frozen=True)
class _People:
    """One row of each test person, by descending confidence: labels, answers and scores."""

    trial: Trial
    y: IntArray
    predicted: IntArray
    scores: FloatArray


@dataclass(frozen=True)
class _Counted:
    """How often an attacker was right, and how likely luck is as right."""

    trial: Trial
    correct: int
    n: int
    by_luck: float
    expected: float = 0.0
    label: int = 0


def _looking(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.attacker != MAJORITY]


def _surest_rows(trial: Trial, truth: TrueLabels) -> _People:
    assert trial.outputs is not None
    ordered = np.sort(trial.outputs, axis=1)
    rows = np.argsort(-(ordered[:, -1] - ordered[:, -2]), kind="stable")
    first = np.sort(np.unique(truth.identities[rows], return_index=True)[1])
    rows = rows[first]
    return _People(trial, truth.y[rows], trial.predictions[rows], trial.outputs[rows])


def _precision(people: _People, share: float, truth: TrueLabels) -> _Counted:
    n = max(round(share * len(people.y)), 1)
    correct = int(np.sum(people.predicted[:n] == people.y[:n]))
    shares = np.bincount(people.y, minlength=truth.n_classes) / len(people.y)
    expected = float(shares[people.predicted[:n]].mean())
    # Answers of unequal chances spread less than as many of their mean chance (Hoeffding 1956).
    return _Counted(people.trial, correct, n, float(binom.sf(correct - 1, n, expected)), expected)


def _detected(people: _People, label: int, rate: float) -> _Counted | None:
    others = np.delete(people.scores, label, axis=1).max(axis=1)
    margin, is_label = people.scores[:, label] - others, people.y == label
    negatives = np.sort(margin[~is_label])[::-1]
    allowed = int(rate * len(negatives) + 1e-9)
    if allowed < 1 or not is_label.any():
        return None
    n, correct = int(is_label.sum()), int(np.sum(margin[is_label] > negatives[allowed]))
    # How many of one kind come before so many of the other, in an order that luck decides.
    by_luck = nhypergeom.sf(correct - 1, len(margin), n, allowed + 1) if correct else 1.0
    return _Counted(people.trial, correct, n, float(by_luck), label=label)


def _added(trial: Trial, identities: IntArray, templates: int | None) -> IntArray:
    """Class of each person, from the scores of the first so many rows, or of all."""
    assert trial.outputs is not None
    order = np.argsort(identities, kind="stable")
    _, starts, counts = np.unique(identities[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    rows = order if templates is None else order[place < templates]
    centred = trial.outputs - trial.outputs.mean(axis=1, keepdims=True)
    total = np.zeros((len(starts), trial.outputs.shape[1]))
    np.add.at(total, identities[rows], centred[rows])
    return np.asarray(total.argmax(axis=1))


def _what_the_average_hides(result: BatteryResult) -> list[str]:
    notes = [
        f"the {100 * one.share:.0f} % of people it is surest of are read right at "
        f"{100 * one.precision:.1f} % where luck is at {100 * one.expected:.1f} %: "
        f"{one.attacker} on {one.preparation}"
        for one in result.confident
        if one.above_chance
    ][:1]
    notes += [
        f"{100 * one.true_positive_rate:.1f} % of {one.detected!r} are found at a false positive "
        f"rate of {one.false_positive_rate:g}: {one.attacker} on {one.preparation}"
        for one in result.detections
        if one.above_chance
    ][:1]
    notes += [
        f"{one.templates or 'all'} templates of a person are read at "
        f"{100 * one.strongest.balanced_accuracy:.1f} %: {one.strongest.attacker} on "
        f"{one.strongest.preparation}"
        for one in result.several_templates
        if one.strongest.above_chance
    ][-1:]
    worst = result.worst_subgroup
    if worst is not None and worst.strongest.above_chance:
        notes.append(
            f"where {worst.column} is {worst.value!r} it is read at "
            f"{100 * worst.strongest.balanced_accuracy:.1f} %: {worst.strongest.attacker} on "
            f"{worst.strongest.preparation}"
        )
    return notes
