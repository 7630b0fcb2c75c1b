"""Joins the batteries of one attribute: before, after, inverted, controls, and whether to trust."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sensitivenets.audit.attackers.catalogue import MAJORITY
from sensitivenets.audit.battery import Battery, headline_of
from sensitivenets.audit.results import (
    AFTER,
    BEFORE,
    INVERTED,
    PROJECTED,
    SHUFFLED,
    AttributeResult,
    BatteryResult,
    Controls,
    Headline,
    Reduction,
    Threat,
)
from sensitivenets.audit.scores import AttackedSet, reduction_interval
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import AttackTask

# The strongest attacker on the first table must lead a guess by this much to prove its worth.
_CLEARLY_ABOVE = 0.05
# Half an interval wider than this says nothing about a reduction.
_WIDEST = 0.1


def join(
    task: AttackTask, batteries: Mapping[str, Battery], test: AttackedSet, notes: tuple[str, ...]
) -> AttributeResult:
    """Make the result of one attribute.

    Parameters
    ----------
    task : AttackTask
        The attribute.
    batteries : mapping of str to Battery
        ``"before"`` and ``"shuffled labels"``, and those of ``"after"``, ``"inverted"`` and
        ``"random projection"`` that were run.
    test : AttackedSet
        The labels attacked.
    notes : tuple of str
        About the attribute, such as classes left out.

    Returns
    -------
    AttributeResult
        See there.
    """
    before, after = batteries[BEFORE], batteries.get(AFTER)
    inverted = batteries.get(INVERTED)
    chance = 1 / len(task.classes)
    threats = _threats(before, after, inverted, test, chance)
    controls = _controls(task, batteries, before.result)
    reasons = _reasons(task, controls, before.result, threats[-1].strongest, single=after is None)
    return AttributeResult(
        name=task.name,
        kind="binary" if len(task.classes) == 2 else "multi-class",
        classes=task.classes,
        train_counts=_counts(task, task.train),
        test_counts=_counts(task, task.test),
        chance=chance,
        before=before.result,
        after=after.result if after else None,
        inverted=inverted.result if inverted else None,
        strongest=threats[-1].strongest,
        reduction=threats[-1].reduction,
        reductions=_reductions(before, after, chance) if after else (),
        threats=threats,
        controls=controls,
        trustworthy=not reasons,
        reasons=reasons,
        notes=notes,
    )


def _counts(task: AttackTask, rows: IntArray) -> tuple[int, ...]:
    return tuple(np.bincount(task.y[rows], minlength=len(task.classes)).tolist())


def _threats(
    before: Battery,
    after: Battery | None,
    inverted: Battery | None,
    test: AttackedSet,
    chance: float,
) -> tuple[Threat, ...]:
    last = after or before
    reduction = _reduction(before, after, chance) if after else None
    secret = Threat("map secret", last.result.strongest, reduction)
    if inverted is None or after is None:
        return (secret,)
    predictions = np.hstack([after.predictions, inverted.predictions])
    both = Battery(
        after.result,
        (*after.trials, *inverted.trials),
        predictions,
        np.hstack([after.values, inverted.values]),
        np.hstack([after.draws, inverted.draws]),
    )
    strongest = headline_of(both.trials, predictions, test)
    if strongest.balanced_accuracy > after.result.strongest.balanced_accuracy:
        strongest = _renamed(strongest)
    return secret, Threat("map public", strongest, _reduction(before, both, chance))


def _renamed(headline: Headline) -> Headline:
    return Headline(**{
        **headline.__dict__,
        "preparation": f"{headline.preparation}, after inverting the map",
    })


def _reduction(before: Battery, after: Battery, chance: float) -> Reduction:
    """From the strongest of `before` to the strongest of `after`."""
    return _ratio("strongest", before, before.best, after, after.best, chance)


def _reductions(before: Battery, after: Battery, chance: float) -> tuple[Reduction, ...]:
    """Each attacker on its own best preparation, as in Table I."""
    was, now = _best_of_each(before), _best_of_each(after)
    return tuple(
        _ratio(name, before, was[name], after, now[name], chance) for name in was if name in now
    )


def _best_of_each(battery: Battery) -> dict[str, int]:
    """Column of each attacker's best preparation, the majority class left out."""
    best: dict[str, int] = {}
    for column, trial in enumerate(battery.trials):
        known = best.get(trial.attacker)
        if trial.attacker != MAJORITY and (
            known is None or battery.values[column] > battery.values[known]
        ):
            best[trial.attacker] = column
    return best


def _ratio(
    name: str, before: Battery, was: int, after: Battery, now: int, chance: float
) -> Reduction:
    """Reduce from one column of `before` to one of `after`; the draws are of the same rows."""
    old, new = float(before.values[was]), float(after.values[now])
    interval = reduction_interval(before.draws[:, was], after.draws[:, now], chance)
    if interval is None or old <= chance:
        return Reduction(name, old, new, chance, None, None, None)
    value = (old - new) / (old - chance)
    return Reduction(
        name, old, new, chance, value, min(interval[0], value), max(interval[1], value)
    )


def _controls(
    task: AttackTask, batteries: Mapping[str, Battery], before: BatteryResult
) -> Controls:
    shuffled = batteries[SHUFFLED].result
    projected = batteries.get(PROJECTED)
    counts = np.bincount(task.y[task.test], minlength=len(task.classes))
    lead = before.strongest.balanced_accuracy - 1 / len(task.classes)
    return Controls(
        majority_share=float(counts.max() / counts.sum()),
        shuffled=shuffled,
        shuffled_at_chance=not shuffled.strongest.above_chance,
        raw_above_chance=before.strongest.above_chance and lead >= _CLEARLY_ABOVE,
        random_projection=projected.result if projected else None,
    )


def _reasons(
    task: AttackTask,
    controls: Controls,
    before: BatteryResult,
    strongest: Headline,
    *,
    single: bool,
) -> tuple[str, ...]:
    reasons = []
    if not controls.shuffled_at_chance:
        reached = controls.shuffled.strongest
        reasons.append(
            f"the audit is broken: attackers trained on shuffled labels reach "
            f"{100 * reached.balanced_accuracy:.1f} %, more than the "
            f"{100 * reached.noise_bound:.1f} % that noise allows"
        )
    if not controls.raw_above_chance:
        reached = before.strongest
        table = "the table" if single else "the table before"
        reasons.append(
            f"the strongest attacker reads {task.name} from {table} at "
            f"{100 * reached.balanced_accuracy:.1f} % where a guess is right at "
            f"{100 / len(task.classes):.1f} %: it is not there, or the attackers are too weak"
        )
    half = (strongest.high - strongest.low) / 2
    if half > _WIDEST:
        reasons.append(
            f"the interval is wide, plus or minus {100 * half:.0f} points from {strongest.n} "
            "test rows: give more"
        )
    failed = [a for a in before.attackers if a.balanced_accuracy is None]
    if len(failed) > len(before.attackers) / 2:
        reasons.append(f"{len(failed)} of {len(before.attackers)} attackers failed")
    return tuple(reasons)
