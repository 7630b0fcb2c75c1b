"""What a benchmark is given: tables, splits and pairs from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.cli.attributes import require_groups
from sensitivenets.cli.audit_inputs import Tables, split_of
from sensitivenets.cli.benchmark_options import DataOptions
from sensitivenets.cli.selection import read_rows
from sensitivenets.cli.verify import read_protocol
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit import Split
    from sensitivenets.benchmark.inputs import Attacking, Inputs, Verifying
    from sensitivenets.embeddings import EmbeddingTable, Labels


def read_inputs(path: Path, options: DataOptions, random_state: int) -> Inputs:
    """Read all data of a benchmark.

    Parameters
    ----------
    path : Path
        The table to fit on.
    options : DataOptions
        All else.
    random_state : int
        Decides what is drawn.

    Returns
    -------
    Inputs
        Checked.

    Raises
    ------
    InputError
        If a file or a column is missing, or the rows to attack are among those to fit on.
    """
    from sensitivenets.audit import without_look_alikes
    from sensitivenets.benchmark.inputs import Fitting, Inputs

    fit_rows, attacked, split = _fit_and_attack(path, options, random_state)
    if options.apart is not None:
        try:
            split = without_look_alikes(split, attacked.vectors, options.apart)
        except InputError as error:
            raise InputError(f"--apart: {error}") from None
    names = options.attribute
    target = None if options.identity is None else fit_rows.identities(options.identity)
    if options.identity in names:
        raise InputError(f"--attribute {options.identity}: the identity is kept; name another")
    if options.task is not None and options.task in (*names, options.identity):
        raise InputError(
            f"--task {options.task}: expected a label that is neither removed nor the identity"
        )
    sensitive = fit_rows
    if options.detector is not None:
        sensitive = read_rows(
            options.detector, options.detector_where, options.embedding, "--detector-where"
        )
    require_groups(sensitive, names, "--attribute")
    fitting = Fitting(
        fit_rows.vectors,
        target,
        sensitive.attributes(names),
        None if sensitive is fit_rows else sensitive.vectors,
        None if options.task is None else fit_rows.labels(options.task),
    )
    attacking = _only_split_rows(attacked, names, split)
    return Inputs(fitting, attacking, _verifying(options, attacking))


def _fit_and_attack(
    path: Path, options: DataOptions, random_state: int
) -> tuple[EmbeddingTable, EmbeddingTable, Split]:
    """Read the rows to fit on, and the rows to attack with their split."""
    if options.attack is not None:
        fit_rows = read_rows(path, options.where, options.embedding)
        attacked = read_rows(options.attack, [], options.embedding)
        subject = _identity_of(attacked, options.attack_identity, options.identity)
        tables = Tables(attacked, None, subject)
        return fit_rows, attacked, split_of(tables, options.train, options.test, random_state)
    table = read_rows(path, [], options.embedding)
    subject = None if options.identity is None else table.identities(options.identity)
    if options.train is None:
        if options.where:
            raise InputError(
                "--where: expected --train and --test with it, or --attack: which rows are attacked"
            )
        return _drawn(table, subject, random_state)
    split = split_of(Tables(table, None, subject), options.train, options.test, random_state)
    if not options.where:
        raise InputError(
            "--train and --test: expected --where with them, such as --where split=fit: the rows "
            "to fit on must be others"
        )
    fit_rows = read_rows(path, options.where, options.embedding)
    if subject is not None and options.identity is not None:
        _refuse_shared(fit_rows.identities(options.identity), subject, split)
    return fit_rows, table, split


def _drawn(
    table: EmbeddingTable, subject: Labels | None, random_state: int
) -> tuple[EmbeddingTable, EmbeddingTable, Split]:
    """Draw half of the identities to fit on; split the others for the attack."""
    from sensitivenets.audit import split_by_identity, split_rows

    if subject is None:
        halves = split_rows(len(table), 0.5, random_state)
    else:
        halves = split_by_identity(subject, 0.5, random_state)
    attacked = table.take(halves.test)
    known = None if subject is None else subject.take(halves.test)
    split = split_of(Tables(attacked, None, known), None, None, random_state)
    return table.take(halves.train), attacked, split


def _refuse_shared(fitted: Labels, subject: Labels, split: Split) -> None:
    rows = np.concatenate([split.train, split.test])
    attacked = subject.take(rows)
    present = {attacked.classes[code] for code in np.unique(attacked.codes[attacked.labelled])}
    shared = present & {name for name, n in fitted.counts().items() if n}
    if shared:
        raise InputError(
            f"--where: {subject.name} {min(shared)!r} is among the rows to fit on and those to "
            f"attack ({len(shared)} such); attack people that no method has seen"
        )


def _identity_of(table: EmbeddingTable, own: str | None, general: str | None) -> Labels | None:
    """Read the identities of a table: in a column of its own, or named as elsewhere."""
    if own is not None:
        return table.labels(own)
    if general is not None and general in table.columns.column_names:
        return table.labels(general)
    return None


def _only_split_rows(table: EmbeddingTable, names: list[str], split: Split) -> Attacking:
    """Leave out the rows that nobody trains on or attacks."""
    from sensitivenets.audit import Split
    from sensitivenets.benchmark.inputs import Attacking

    rows = np.concatenate([split.train, split.test])
    n_train = len(split.train)
    kept = table.take(rows)
    groups = None if split.groups is None else split.groups.take(rows)
    order = np.arange(len(rows))
    moved = Split(order[:n_train], order[n_train:], groups)
    return Attacking(kept.vectors, kept.attributes(names), moved)


def _verifying(options: DataOptions, attacking: Attacking) -> Verifying:
    from sensitivenets.benchmark.inputs import Verifying
    from sensitivenets.verification import verify

    if options.verification is None:
        test = attacking.split.test
        groups = attacking.split.groups
        return Verifying(attacking.X[test], None if groups is None else groups.take(test))
    table = read_rows(options.verification, [], options.embedding)
    subject = _identity_of(table, options.verification_identity, None)
    if options.pairs is None:
        return Verifying(table.vectors, subject)
    pairs = {}
    names: list[str | None] = [*options.protocol] or [None]
    who = options.verification_identity or "subject"
    for name in names:
        found, how = read_protocol(options.pairs, table, name, subject=who, image=options.image)
        if how == "view1":
            # One part: pairs of one fold are evaluated so.
            found = replace(found, fold=np.zeros_like(found.fold))
        # Refused now rather than in every run.
        verify(table, found, protocol=how, subject=subject, n_bootstrap=0)
        pairs[name or "pairs"] = found
    return Verifying(table.vectors, subject, pairs)
