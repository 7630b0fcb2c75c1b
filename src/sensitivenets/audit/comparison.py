"""Joins the batteries of one attribute: before, after, inverted, controls, and whether to trust."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sensitivenets.audit.battery import Battery, headline_of
from sensitivenets.audit.metrics import TrueLabels, reduction_interval
from sensitivenets.audit.results import (
    AFTER,
    BEFORE,
    INVERTED,
    MAJORITY,
    PROJECTED,
    SHUFFLED,
    AttributeResult,
    BatteryResult,
    ContinuousResult,
    Controls,
    Headline,
    Reduction,
    RegressionResult,
    Threat,
)
from sensitivenets.audit.tasks import ClassTask, NumberTask

# The strongest attacker on the first table must lead a guess by this much to prove its worth.
_CLEARLY_ABOVE = 0.05
# R2 that shuffled values may reach by luck, and that the first table must pass to prove anything.
_CLEAR_R2 = 0.02
# Half an interval wider than this says nothing about a reduction.
_WIDEST = 0.1


def join_classes(
    task: ClassTask, batteries: Mapping[str, Battery], truth: TrueLabels
) -> AttributeResult:
    """Make the result of one categorical attribute.

    Parameters
    ----------
    task : ClassTask
        The attribute.
    batteries : mapping of str to Battery
        ``"before"`` and ``"shuffled labels"``, and those of ``"after"``, ``"inverted"`` and
        ``"random projection"`` that were run.
    truth : TrueLabels
        Of the test rows.

    Returns
    -------
    AttributeResult
        See there.
    """
    before, after = batteries[BEFORE], batteries.get(AFTER)
    inverted = batteries.get(INVERTED)
    threats = _threats(before, after, inverted, truth, task.chance)
    controls = _controls(task, batteries, before.result)
    reasons = _reasons(task, controls, before.result, threats[-1].strongest, single=after is None)
    return AttributeResult(
        name=task.name,
        kind="binary" if len(task.classes) == 2 else "multi-class",
        classes=task.classes,
        train_counts=tuple(task.counts(task.train).tolist()),
        test_counts=tuple(task.counts(task.test).tolist()),
        chance=task.chance,
        before=before.result,
        after=after.result if after else None,
        inverted=inverted.result if inverted else None,
        strongest=threats[-1].strongest,
        reduction=threats[-1].reduction,
        reductions=_reductions(before, after, task.chance) if after else (),
        threats=threats,
        controls=controls,
        trustworthy=not reasons,
        reasons=reasons,
        notes=task.notes,
    )


def join_numbers(task: NumberTask, results: Mapping[str, RegressionResult]) -> ContinuousResult:
    """Make the result of one continuous attribute.

    Parameters
    ----------
    task : NumberTask
        The attribute.
    results : mapping of str to RegressionResult
        ``"before"`` and ``"shuffled labels"``, and those of ``"after"`` and ``"inverted"`` that
        were run.

    Returns
    -------
    ContinuousResult
        See there.
    """
    before, shuffled = results[BEFORE], results[SHUFFLED]
    reads = before.strongest.r2 or 0.0
    left = [results[name].strongest.r2 or 0.0 for name in (AFTER, INVERTED) if name in results]
    reasons = []
    if _is_clear(shuffled):
        lucky = shuffled.strongest.r2 or 0.0
        reasons.append(f"the audit is broken: shuffled values are read with R2 {lucky:.3f}")
    if not _is_clear(before):
        reasons.append(
            f"the strongest attacker reads {task.name} from the first table with R2 "
            f"{reads:.3f}: it is not there, or the attackers are too weak"
        )
    return ContinuousResult(
        name=task.name,
        n_train=len(task.train),
        n_test=len(task.test),
        mean_predictor_mae=float(np.mean(np.abs(task.y[task.test] - task.mean))),
        before=before,
        after=results.get(AFTER),
        inverted=results.get(INVERTED),
        shuffled=shuffled,
        reduction=1 - max(left) / reads if left and _is_clear(before) else None,
        trustworthy=not reasons,
        reasons=tuple(reasons),
    )


def _is_clear(result: RegressionResult) -> bool:
    best = result.strongest
    return (best.r2 or 0.0) > _CLEAR_R2 and (best.low or 0.0) > 0


def _threats(
    before: Battery,
    after: Battery | None,
    inverted: Battery | None,
    truth: TrueLabels,
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
    strongest = headline_of(both.trials, predictions, truth)
    if strongest.balanced_accuracy > after.result.strongest.balanced_accuracy:
        strongest = _renamed(strongest)
    return secret, Threat("map public", strongest, _reduction(before, both, chance))


def _renamed(headline: Headline) -> Headline:
    # What else the map is good for says so itself.
    if ", " in headline.preparation:
        return headline
    return replace(headline, preparation=f"{headline.preparation}, after inverting the map")


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


def _controls(task: ClassTask, batteries: Mapping[str, Battery], before: BatteryResult) -> Controls:
    shuffled = batteries[SHUFFLED].result
    projected = batteries.get(PROJECTED)
    counts = task.counts(task.test)
    lead = before.strongest.balanced_accuracy - task.chance
    return Controls(
        majority_share=float(counts.max() / counts.sum()),
        shuffled=shuffled,
        shuffled_at_chance=not shuffled.strongest.above_chance,
        raw_above_chance=before.strongest.above_chance and lead >= _CLEARLY_ABOVE,
        random_projection=projected.result if projected else None,
    )


def _reasons(
    task: ClassTask,
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
            f"{100 * task.chance:.1f} %: it is not there, or the attackers are too weak"
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
