"""One audit from the tables to the result: check, prepare, attack, join."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from sensitivenets.audit.attack import AttackedAttribute, attack
from sensitivenets.audit.continuous import attack_values, make_values
from sensitivenets.audit.inversion import Phi, invert
from sensitivenets.audit.plan import AuditPlan
from sensitivenets.audit.preparations import Preparations, prepare
from sensitivenets.audit.results import (
    AFTER,
    BEFORE,
    INVERTED,
    PROJECTED,
    AttributeResult,
    AuditResult,
    Inversion,
    SplitSummary,
)
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.audit.tasks import make_task, seed_of
from sensitivenets.embeddings import EmbeddingTable, FloatArray, Labels, check_vectors
from sensitivenets.embeddings.collapse import Collapse, measure_collapse
from sensitivenets.embeddings.labels import joint
from sensitivenets.embeddings.rows import first_occurrences
from sensitivenets.errors import InputError
from sensitivenets.progress import Progress, Steps
from sensitivenets.version import __version__

# Enough for a stable effective rank.
_COLLAPSE_ROWS = 4000
# A few duplicated images are in every real table.
_MOST_COPIES = 0.02


def run_session(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None,
    attributes: Mapping[str, Labels],
    *,
    plan: AuditPlan,
    split: Split,
    random_state: int,
    n_jobs: int,
    progress: Progress | None,
    continuous: Mapping[str, FloatArray] | None = None,
    phi: Phi | None = None,
) -> AuditResult:
    """Run a plan; see `audit` for the parameters.

    Parameters
    ----------
    before, after : EmbeddingTable, ndarray or None
        The tables.
    attributes : mapping of str to Labels
        Categorical attributes.
    plan : AuditPlan
        What to do.
    split : Split
        Who trains and who is attacked.
    random_state : int
        The seed.
    n_jobs : int
        Processes.
    progress : Progress or None
        Told of each step.
    continuous : mapping of str to ndarray, optional
        Continuous attributes.
    phi : callable, optional
        The map, for the inversion attack.

    Returns
    -------
    AuditResult
        See there.

    Raises
    ------
    InputError
        If something does not fit.
    """
    tables = _open(before, after, attributes, continuous or {}, split)
    tasks = _tasks(attributes, plan, split, random_state)
    values = [make_values(k, y, split, random_state) for k, y in (continuous or {}).items()]
    n_train, steps = len(split.train), Steps(0, progress)
    with threadpool_limits(1):
        prepared, inversion = _prepare_all(tables, phi, n_train, random_state, plan)
        control = _projection(prepared, tables[BEFORE], n_train, random_state, plan)
    identities = split.identities(_n_rows(before))[np.concatenate([split.train, split.test])]
    results = attack(
        tasks,
        prepared | control,
        plan,
        identities,
        seed=random_state,
        n_jobs=n_jobs,
        steps=steps,
    )
    numbers = tuple(
        attack_values(v, prepared, identities, seed=random_state, n_jobs=n_jobs, steps=steps)
        for v in values
    )
    single = [r for r, t in zip(results, tasks, strict=True) if not t.is_joint]
    crossed = [r for r, t in zip(results, tasks, strict=True) if t.is_joint]
    reasons = _copies(tables[BEFORE], n_train)
    reasons += tuple(f"{r.name}: {reason}" for r in results for reason in r.reasons)
    reasons += tuple(f"{r.name}: {reason}" for r in numbers for reason in r.reasons)
    return AuditResult(
        mode=plan.mode,
        random_state=random_state,
        split=_summary(split, identities),
        n_features_before=tables[BEFORE].shape[1],
        n_features_after=tables[AFTER].shape[1] if AFTER in tables else None,
        attributes=tuple(single),
        joint=crossed[0] if crossed else None,
        continuous=numbers,
        collapse_before=_collapse(tables[BEFORE]),
        collapse_after=_collapse(tables[AFTER]) if AFTER in tables else None,
        inversion=inversion,
        trustworthy=not reasons,
        reasons=reasons,
        notes=_notes(prepared, results),
        library_version=__version__,
    )


def _open(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None,
    attributes: Mapping[str, Labels],
    continuous: Mapping[str, FloatArray],
    split: Split,
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


def _vectors(table: EmbeddingTable | FloatArray, name: str) -> FloatArray:
    if isinstance(table, EmbeddingTable):
        return table.vectors
    vectors = np.asarray(table)
    if vectors.dtype.kind != "f":
        vectors = vectors.astype(np.float64)
    check_vectors(vectors, f"table {name}")
    return vectors


def _n_rows(table: EmbeddingTable | FloatArray) -> int:
    return len(table)


def _tasks(
    attributes: Mapping[str, Labels], plan: AuditPlan, split: Split, seed: int
) -> list[AttackedAttribute]:
    tasks = []
    for labels in attributes.values():
        task, notes = make_task(labels, split, seed)
        tasks.append(AttackedAttribute(task, plan.attackers, is_joint=False, notes=notes))
    if plan.joint_attackers and len(attributes) > 1:
        task, notes = make_task(joint(attributes), split, seed)
        tasks.append(AttackedAttribute(task, plan.joint_attackers, is_joint=True, notes=notes))
    return tasks


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
