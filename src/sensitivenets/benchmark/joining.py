"""From the records of runs to the leaderboard: means over seeds, fronts, choices."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from typing import Any

from sensitivenets.audit import AttackerResult
from sensitivenets.audit.results import MAJORITY
from sensitivenets.benchmark.leaderboard import (
    AttackerScore,
    AttributeScore,
    Entry,
    Failure,
    Leaderboard,
    UtilityScore,
    choices,
    fronts,
)
from sensitivenets.benchmark.plan import UNCHANGED, label
from sensitivenets.benchmark.record import AttackFigures, Figures, RunRecord, VerificationFigures
from sensitivenets.benchmark.runs import Benchmark
from sensitivenets.intervals import Estimate

_LARGEST_FMR = 1e-2
_Point = Sequence[tuple[RunRecord, Figures]]


def join(benchmark: Benchmark) -> Leaderboard:
    """Make the leaderboard of a benchmark.

    Parameters
    ----------
    benchmark : Benchmark
        All its records.

    Returns
    -------
    Leaderboard
        Points whose runs all failed are among the failures only.
    """
    points: dict[str, list[tuple[RunRecord, Figures]]] = {}
    for record in benchmark.records:
        if record.figures is not None:
            key = json.dumps([record.method, record.parameters], sort_keys=True)
            points.setdefault(key, []).append((record, record.figures))
    before = next((p for p in points.values() if p[0][0].method == UNCHANGED), None)
    raw = {} if before is None else {a.name: _leakage(before, a.name) for a in _attributes(before)}
    entries = sorted((_entry(p, raw) for p in points.values()), key=lambda e: e.excess)
    attributes = tuple(a.name for a in entries[0].attributes) if entries else ()
    utilities = tuple(u.name for u in entries[0].utilities) if entries else ()
    unchanged = next((e for e in entries if e.method == UNCHANGED), None)
    return Leaderboard(
        attributes=attributes,
        utilities=utilities,
        entries=tuple(entries),
        fronts=fronts(entries, attributes, utilities),
        choices=choices(entries, attributes, unchanged),
        failures=tuple(
            Failure(str(r.run), r.error or "") for r in benchmark.records if r.figures is None
        ),
        reasons=_reasons(entries, before),
        facts=benchmark.facts,
    )


def _entry(point: _Point, raw: dict[str, Estimate]) -> Entry:
    first = point[0][0]
    figures = [f for _, f in point]
    scores = tuple(_attribute(point, a.name, raw.get(a.name)) for a in _attributes(point))
    memory = [f.peak_memory for f in figures if f.peak_memory is not None]
    return Entry(
        label=label(first.method, first.parameters),
        method=first.method,
        parameters=first.parameters,
        seeds=tuple(record.seed for record, _ in point),
        attributes=scores,
        utilities=_utilities(point),
        excess=statistics.fmean((s.leakage.value - s.chance) / (1 - s.chance) for s in scores),
        fit_seconds=statistics.median(f.fit_seconds for f in figures),
        transform_rows_per_second=statistics.median(f.transform_rows_per_second for f in figures),
        peak_memory=max(memory) if memory else None,
        n_features=figures[0].n_features,
        notes=tuple(dict.fromkeys(note for record, _ in point for note in record.notes)),
    )


def _attributes(point: _Point) -> tuple[AttackFigures, ...]:
    return point[0][1].attributes


def _each(point: _Point, name: str) -> list[AttackFigures]:
    return [next(a for a in f.attributes if a.name == name) for _, f in point]


def _attribute(point: _Point, name: str, raw: Estimate | None) -> AttributeScore:
    seeds = _each(point, name)
    worst = max((a.strongest for a in seeds), key=lambda top: top.balanced_accuracy)
    leakage, chance = _leakage(point, name), seeds[0].chance
    reduction = None
    if raw is not None and raw.value > chance:
        reduction = (raw.value - leakage.value) / (raw.value - chance)
    return AttributeScore(
        name=name,
        chance=chance,
        leakage=leakage,
        attacker=f"{worst.attacker}, {worst.preparation}",
        map_secret=over_seeds([_read(a.map_secret) for a in seeds]),
        reduction=reduction,
        attackers=_attackers(seeds),
        trustworthy=all(a.shuffled_at_chance for a in seeds),
    )


def _leakage(point: _Point, name: str) -> Estimate:
    return over_seeds([_read(a.strongest) for a in _each(point, name)])


def _attackers(seeds: Sequence[AttackFigures]) -> tuple[AttackerScore, ...]:
    """Each attacker in its best preparation, over the seeds."""
    names = dict.fromkeys(r.attacker for r in seeds[0].attackers if r.attacker != MAJORITY)
    scores = []
    for name in names:
        best = [_best([r for r in a.attackers if r.attacker == name]) for a in seeds]
        known = [estimate for estimate in best if estimate is not None]
        scores.append(AttackerScore(name, over_seeds(known) if len(known) == len(best) else None))
    return tuple(scores)


def _best(results: Sequence[AttackerResult]) -> Estimate | None:
    known = [r for r in results if r.balanced_accuracy is not None]
    return _read(max(known, key=lambda r: r.balanced_accuracy or 0)) if known else None


def _read(result: Any) -> Estimate:
    """Read the balanced accuracy of an attacker or a headline, with its interval."""
    value = float(result.balanced_accuracy)
    low, high = (value if end is None else float(end) for end in (result.low, result.high))
    return Estimate(value, low, high, result.n)


def _utilities(point: _Point) -> tuple[UtilityScore, ...]:
    """Accuracies (or 1 - EER) of all protocols first, then the true accept rates."""
    protocols = [f.verification for _, f in point]
    first, rates = [], []
    for k, one in enumerate(protocols[0]):
        seeds = [protocol[k] for protocol in protocols]
        name = f"accuracy, {one.name}" if one.accuracy else f"1 - EER, {one.name}"
        first.append(UtilityScore(name, over_seeds([_share_right(s) for s in seeds])))
        for j, rate in enumerate(one.accept_rates):
            if rate.fmr > _LARGEST_FMR:
                continue
            found = [s.accept_rates[j].tar for s in seeds]
            known = [tar for tar in found if tar is not None]
            value = over_seeds(known) if len(known) == len(found) else None
            rates.append(UtilityScore(f"TAR at FMR {rate.fmr:g}, {one.name}", value))
    return (*first, *rates)


def _share_right(figures: VerificationFigures) -> Estimate:
    if figures.accuracy is not None:
        return figures.accuracy
    eer = figures.eer
    return Estimate(1 - eer.value, 1 - eer.high, 1 - eer.low, eer.n)


def over_seeds(estimates: Sequence[Estimate]) -> Estimate:
    """Join estimates of one quantity from several seeds on the same test rows.

    Parameters
    ----------
    estimates : sequence of Estimate
        One a seed, at least one.

    Returns
    -------
    Estimate
        The mean; from the lowest end of the intervals to the highest, since the test rows are the
        same and more seeds do not make them more.
    """
    return Estimate(
        statistics.fmean(e.value for e in estimates),
        min(e.low for e in estimates),
        max(e.high for e in estimates),
        estimates[0].n,
    )


def _reasons(entries: Sequence[Entry], before: _Point | None) -> tuple[str, ...]:
    reasons = [
        f"{entry.label}: attackers trained on shuffled labels of {score.name} read more than a "
        "guess: the attack is broken"
        for entry in entries
        for score in entry.attributes
        if not score.trustworthy
    ]
    if before is None:
        reasons.append(
            f"the embeddings before any map were not attacked: add the method {UNCHANGED!r}, or "
            "nobody knows what there was to hide"
        )
        return tuple(reasons)
    reasons += [
        f"{name}: attackers do not read it from the embeddings before any map: there is nothing to "
        "hide, or they are too weak"
        for name in (a.name for a in _attributes(before))
        if not all(a.strongest.above_chance for a in _each(before, name))
    ]
    return tuple(reasons)
