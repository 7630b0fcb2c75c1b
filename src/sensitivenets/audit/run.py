"""One audit from the tables to the result: check, prepare, attack, join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from sensitivenets.audit.attack import Advantage, Attack, Trial, Workers, attack, run_trial
from sensitivenets.audit.attackers.catalogue import AuditPlan
from sensitivenets.audit.attackers.local_votes import row_number_reader
from sensitivenets.audit.battery import Battery, summarise_classes, summarise_numbers
from sensitivenets.audit.comparison import join_classes, join_numbers
from sensitivenets.audit.curves import add_curves
from sensitivenets.audit.inversion import Phi, invert
from sensitivenets.audit.metrics import TrueLabels, strongest_of
from sensitivenets.audit.preparations import Preparations, prepare
from sensitivenets.audit.results import (
    AFTER,
    BEFORE,
    INVERTED,
    PROJECTED,
    SHUFFLED,
    AttributeResult,
    AuditResult,
    ContinuousResult,
    Inversion,
    SplitSummary,
)
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.audit.subsets import look_closer
from sensitivenets.audit.tasks import AttackTask, ClassTask, NumberTask, seed_of
from sensitivenets.embeddings import FloatArray, Labels, as_vectors, check_vectors
from sensitivenets.embeddings.collapse import Collapse, measure_collapse
from sensitivenets.embeddings.labels import joint
from sensitivenets.embeddings.rows import first_occurrences
from sensitivenets.errors import InputError
from sensitivenets.progress import Progress, Steps
from sensitivenets.version import __version__

Trials = tuple[Trial, ...]
# Enough for a stable effective rank.
_COLLAPSE_ROWS = 4000
# A few duplicated images are in every real table.
_MOST_COPIES = 0.02


def run_audit(
    before: Any,
    after: Any,
    attributes: Mapping[str, Labels],
    *,
    plan: AuditPlan,
    split: Split,
    random_state: int,
    workers: Workers,
    progress: Progress | None,
    continuous: Mapping[str, FloatArray] | None = None,
    phi: Phi | None = None,
    subgroups: Mapping[str, Labels] | None = None,
    advantages: Sequence[Advantage] = (),
) -> AuditResult:
    """Run a plan; see `audit` for the parameters.

    Parameters
    ----------
    before, after : EmbeddingTable, array-like or None
        The tables.
    attributes : mapping of str to Labels
        Categorical attributes.
    plan : AuditPlan
        What to do.
    split : Split
        Who trains and who is attacked.
    random_state : int
        The seed.
    workers : Workers
        Who does the jobs.
    progress : Progress or None
        Told of each step.
    continuous : mapping of str to ndarray, optional
        Continuous attributes.
    phi : callable, optional
        The map, for the inversion attack.
    subgroups : mapping of str to Labels, optional
        Columns of subgroups to look into.
    advantages : sequence of Advantage
        What adversaries have on top.

    Returns
    -------
    AuditResult
        See there.

    Raises
    ------
    InputError
        If something does not fit.
    """
    tables = _open(before, after, attributes, continuous or {}, split, subgroups or {})
    tasks = [
        replace(
            ClassTask.make(labels, split, random_state), others=_others(name, attributes, split)
        )
        for name, labels in attributes.items()
    ]
    if plan.joint_attackers and len(attributes) > 1:
        crossed = ClassTask.make(joint(attributes), split, random_state)
        tasks.append(replace(crossed, is_joint=True))
    values = [NumberTask.make(k, y, split, random_state) for k, y in (continuous or {}).items()]
    n_train = len(split.train)
    with threadpool_limits(1):
        prepared, inversion = _prepare_all(tables, phi, n_train, random_state, plan)
        control = _projection(prepared, tables[BEFORE], n_train, random_state, plan)
    order = np.concatenate([split.train, split.test])
    identities = split.identities(_n_rows(before))[order]
    columns = {k: labels.take(order) for k, labels in {**attributes, **(subgroups or {})}.items()}
    tasks = [_with_order_noted(task, order, identities, random_state) for task in tasks]
    adversary = _Adversary(
        plan,
        prepared | control,
        tuple(advantages),
        identities,
        columns,
        random_state,
        workers,
    )
    results, numbers = adversary.read(tasks, values, Steps(0, progress))
    reasons = _copies(tables[BEFORE], n_train)
    reasons += tuple(f"{name}: {why}" for name, side in prepared.items() for why in side.reasons)
    found = [(r.name, r.reasons) for r in results] + [(r.name, r.reasons) for r in numbers]
    reasons += tuple(f"{name}: {reason}" for name, own in found for reason in own)
    return AuditResult(
        mode=plan.mode,
        random_state=random_state,
        split=_summary(split, identities),
        n_features_before=tables[BEFORE].shape[1],
        n_features_after=tables[AFTER].shape[1] if AFTER in tables else None,
        attributes=tuple(r for r, t in zip(results, tasks, strict=True) if not t.is_joint),
        joint=results[-1] if tasks and tasks[-1].is_joint else None,
        continuous=numbers,
        collapse_before=_collapse(tables[BEFORE]),
        collapse_after=_collapse(tables[AFTER]) if AFTER in tables else None,
        inversion=inversion,
        trustworthy=not reasons,
        reasons=reasons,
        notes=_notes(prepared, results),
        left_out=plan.left_out,
        library_version=__version__,
    )


def _open(
    before: Any,
    after: Any,
    attributes: Mapping[str, Labels],
    continuous: Mapping[str, FloatArray],
    split: Split,
    subgroups: Mapping[str, Labels],
) -> dict[str, FloatArray]:
    """Check what was given, and order the rows: training first, then test."""
    tables = {BEFORE: before} | ({} if after is None else {AFTER: after})
    if not attributes and not continuous:
        raise InputError("audit: expected at least one attribute, found none; name one to attack")
    for name, y in continuous.items():
        if np.ndim(y) != 1:
            raise InputError(f"attribute {name!r}: expected one number a row, found {np.shape(y)}")
    lengths = {f"table {name}": _n_rows(table) for name, table in tables.items()}
    lengths |= {f"attribute {k!r}": len(labels) for k, labels in attributes.items()}
    lengths |= {f"attribute {k!r}": len(y) for k, y in continuous.items()}
    lengths |= {f"subgroups {k!r}": len(labels) for k, labels in subgroups.items()}
    n_rows = _n_rows(before)
    for name, length in lengths.items():
        if length != n_rows:
            raise InputError(
                f"audit: expected {n_rows} rows as in the table before, found {length} in {name}; "
                "give the same rows in the same order"
            )
    order = np.concatenate([split.train, split.test])
    if order.max() >= n_rows:
        raise InputError(
            f"split: expected row numbers below {n_rows}, found {order.max()}; "
            "make the split from the same table"
        )
    return {name: _vectors(table, name)[order] for name, table in tables.items()}


def _others(name: str, attributes: Mapping[str, Labels], split: Split) -> IntArray | None:
    """Cross the codes of all attributes but one, by row of the prepared arrays."""
    others = [labels.codes for other, labels in attributes.items() if other != name]
    if not others:
        return None
    order = np.concatenate([split.train, split.test])
    return np.unique(np.stack(others)[:, order], axis=1, return_inverse=True)[1].ravel()


def _vectors(table: Any, name: str) -> FloatArray:
    vectors = as_vectors(table, f"table {name}")
    check_vectors(vectors, f"table {name}")
    return vectors


def _n_rows(table: Any) -> int:
    return len(table)


@dataclass(frozen=True)
class _Adversary:
    """Who attacks, what they see, and what they read from it."""

    plan: AuditPlan
    representations: Mapping[str, Preparations]
    advantages: tuple[Advantage, ...]
    identities: IntArray
    columns: Mapping[str, Labels]
    seed: int
    workers: Workers

    def read(
        self, tasks: Sequence[ClassTask], values: Sequence[NumberTask], steps: Steps
    ) -> tuple[tuple[AttributeResult, ...], tuple[ContinuousResult, ...]]:
        """Attack the attributes and join what was read, in the order of the tasks."""
        attacks = [self._attacks_on(task, self.seed) for task in (*tasks, *values)]
        every = [one for own in attacks for one in own]
        trials = iter(attack(every, seed=self.seed, workers=self.workers, steps=steps))
        done = [[(one, next(trials)) for one in own] for own in attacks]
        truths = [task.truth(self.identities, self.seed) for task in tasks]
        batteries = [
            self._batteries(task, truth, own)
            for task, truth, own in zip(tasks, truths, done, strict=False)
        ]
        if self.plan.curves:
            self._add_curves(tasks, truths, batteries, steps)
        return (
            tuple(
                join_classes(task, own, truth)
                for task, own, truth in zip(tasks, batteries, truths, strict=True)
            ),
            tuple(
                self._read_numbers(task, own)
                for task, own in zip(values, done[len(tasks) :], strict=True)
            ),
        )

    def _attacks_on(self, task: AttackTask, seed: int) -> list[Attack]:
        """On each representation, and the control: on the first one, with labels shuffled."""
        attacks = [
            Attack(name, prepared, task, self.plan.attackers_of(task, name))
            for name, prepared in self.representations.items()
        ]
        attacks += [one for each in self.advantages for one in each.attack_on(task)]
        shuffled = task.shuffled(self.identities, seed)
        who = self.plan.attackers_of(task, SHUFFLED)
        attacks.append(Attack(SHUFFLED, self.representations[BEFORE], shuffled, who))
        return [one for one in attacks if one.attackers]

    def _batteries(
        self, task: ClassTask, truth: TrueLabels, done: Sequence[tuple[Attack, Trials]]
    ) -> dict[str, Battery]:
        trials_on: dict[str, Trials] = {}
        for one, trials in done[:-1]:
            trials_on[one.representation] = (*trials_on.get(one.representation, ()), *trials)
        batteries = {
            name: summarise_classes(name, trials, task, truth, self._notes_on(name))
            for name, trials in trials_on.items()
        }
        if not task.is_joint:
            for name in (BEFORE, AFTER, INVERTED):
                if name in batteries:
                    batteries[name] = look_closer(
                        batteries[name], truth, task.classes, self._subgroups(task)
                    )
        batteries[SHUFFLED] = self._control(*done[-1], self.seed)
        if batteries[SHUFFLED].result.strongest.above_chance:
            # One shuffle in a hundred beats the noise bound by luck; a broken audit does it twice.
            again = self._attacks_on(task, self.seed + 1)[-1]
            (trials,) = attack([again], seed=self.seed + 1, workers=Workers(), steps=Steps(0))
            batteries[SHUFFLED] = self._control(again, trials, self.seed + 1)
        return batteries

    def _notes_on(self, name: str) -> tuple[str, ...]:
        return self.representations[name].notes if name in self.representations else ()

    def _subgroups(self, task: ClassTask) -> dict[str, Labels]:
        return {
            name: labels.take(task.test)
            for name, labels in self.columns.items()
            if name != task.name
        }

    def _control(self, done: Attack, trials: Trials, seed: int) -> Battery:
        task = done.task
        assert isinstance(task, ClassTask)
        return summarise_classes(SHUFFLED, trials, task, task.truth(self.identities, seed))

    def _read_numbers(
        self, task: NumberTask, done: Sequence[tuple[Attack, Trials]]
    ) -> ContinuousResult:
        results = {}
        for one, trials in done:
            assert isinstance(one.task, NumberTask)
            truth = one.task.truth(self.identities, self.seed)
            results[one.representation] = summarise_numbers(
                one.representation, trials, one.task, truth
            )
        return join_numbers(task, results)

    def _add_curves(
        self,
        tasks: Sequence[ClassTask],
        truths: Sequence[TrueLabels],
        batteries: Sequence[dict[str, Battery]],
        steps: Steps,
    ) -> None:
        single = [k for k, task in enumerate(tasks) if not task.is_joint]
        add_curves(
            [tasks[k] for k in single],
            self.plan.attackers,
            [batteries[k] for k in single],
            [truths[k] for k in single],
            {k: v for k, v in self.representations.items() if k in (BEFORE, AFTER)},
            self.identities,
            seed=self.seed,
            workers=self.workers,
            steps=steps,
        )


def _with_order_noted(
    task: ClassTask, order: IntArray, identities: IntArray, seed: int
) -> ClassTask:
    """Note it if the order of the rows tells the attribute, whatever their embeddings are."""
    if task.is_joint:
        return task
    reader = row_number_reader()
    trial = run_trial(reader, "row number", order[:, None].astype(np.float64), task, seed)
    if trial.outputs is None:
        return task
    best = strongest_of(task.truth(identities, seed), trial.predictions[:, None], n_tests=10)
    if best.value <= best.noise_bound:
        return task
    note = (
        f"the row number alone tells {task.name} ({100 * best.value:.1f} %): the rows are sorted; "
        "shuffle them before the table is given away"
    )
    return replace(task, notes=(*task.notes, note))


def _prepare_all(
    tables: Mapping[str, FloatArray], phi: Phi | None, n_train: int, seed: int, plan: AuditPlan
) -> tuple[dict[str, Preparations], Inversion | None]:
    """Prepare the tables, and what the inversion attack recovers if the map is known."""
    prepared = {k: prepare(x, n_train, names=plan.preparations) for k, x in tables.items()}
    if phi is None:
        return prepared, None
    recovered = invert(phi, tables[BEFORE], n_train, seed)
    prepared[INVERTED] = prepare(recovered.vectors, n_train, names=plan.preparations)
    return prepared, recovered.summary


def _projection(
    prepared: Mapping[str, Preparations],
    X: FloatArray,
    n_train: int,
    seed: int,
    plan: AuditPlan,
) -> dict[str, Preparations]:
    """Project the first table at random to the rank of the second, if that is lower."""
    if not plan.projection_attackers or AFTER not in prepared:
        return {}
    rank = prepared[AFTER].rank
    if not 0 < rank < prepared[BEFORE].rank:
        return {}
    rng = np.random.default_rng(seed_of(seed, PROJECTED))
    projected = X @ (rng.standard_normal((X.shape[1], rank)) / np.sqrt(rank))
    return {PROJECTED: prepare(projected, n_train, names=plan.preparations)}


def _collapse(rows: FloatArray) -> Collapse:
    step = max(len(rows) // _COLLAPSE_ROWS, 1)
    return measure_collapse(rows[::step])


def _copies(rows: FloatArray, n_train: int) -> tuple[str, ...]:
    """Refuse to trust a split whose test rows are training rows, identities or not."""
    first = first_occurrences(rows)
    copied = float(np.mean(first[n_train:] < n_train))
    if not first.any() or copied <= _MOST_COPIES:
        return ()
    return (
        f"{100 * copied:.0f} % of the test rows are copies of training rows: attackers that "
        "recognise them need to read nothing; drop the copies or give the identities",
    )


def _summary(split: Split, identities: IntArray) -> SplitSummary:
    n_train = len(split.train)
    return SplitSummary(
        n_train=n_train,
        n_test=len(split.test),
        n_train_identities=len(np.unique(identities[:n_train])),
        n_test_identities=len(np.unique(identities[n_train:])),
        identified=split.groups is not None,
    )


def _notes(
    prepared: Mapping[str, Preparations], results: Sequence[AttributeResult]
) -> tuple[str, ...]:
    notes = [f"{name}: {note}" for name, side in prepared.items() for note in side.notes]
    for result in results:
        notes += [f"{result.name}: {note}" for note in result.notes]
        for side in (result.before, result.after, result.inverted):
            if side is None:
                continue
            notes += [
                f"{result.name}, {side.representation}: {attacker.attacker} on "
                f"{attacker.preparation} {attacker.notes[0]}"
                for attacker in side.attackers
                if attacker.balanced_accuracy is None and attacker.notes
            ]
    return tuple(notes)
