"""Outsiders: labelled people who are in no row of the table, read the table; and the reverse.

A table that was protected with its own moments has none left to learn from inside it. People of
another table, pushed through the same map, have them: what an attacker learns from them is tried on
the rows of this one. The other way round, what the table's rows teach is tried on outsiders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sensitivenets.audit.advantages.rows_on_top import LabelledRows, Tables, with_labels
from sensitivenets.audit.attack import Advantage, Attack, Attacker, Workers, attack
from sensitivenets.audit.battery import summarise_classes
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.audit.results import AFTER, INVERTED, Headline
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.progress import Steps

# As many as tune the other attackers.
_TUNE_ROWS = 2000


def outsiders(
    tables: Tables, others: LabelledRows, attackers: tuple[Attacker, ...]
) -> tuple[Advantage, ...]:
    """Train attackers on outsiders, and let them read the test rows.

    Parameters
    ----------
    tables : Tables
        The audited rows.
    others : LabelledRows
        Outsiders, after the map.
    attackers : tuple of Attacker
        Who learns from them.

    Returns
    -------
    tuple of Advantage
        One. Parameters and sign are chosen on training rows of the table.
    """
    prepared = tables.with_rows(tables.after, others.vectors, (STANDARDISED, WHITENED))

    def trained_on_outsiders(task: ClassTask) -> ClassTask | None:
        known, labelled = with_labels(task, others.codes(task))
        if not _are_enough(known, labelled):
            return None
        tune = labelled[:: max(len(labelled) // _TUNE_ROWS, 1)]
        if not _are_enough(known, tune):
            tune = labelled
        return replace(known, train=labelled, tune=tune if len(task.validate) else task.tune)

    return (Advantage("outsiders", INVERTED, prepared, trained_on_outsiders, attackers),)


def read_outsiders(
    tables: Tables,
    others: LabelledRows,
    tasks: Sequence[ClassTask],
    identities: IntArray,
    attackers: tuple[Attacker, ...],
    *,
    random_state: int,
    workers: Workers,
) -> dict[str, Headline]:
    """Train attackers on the table, and let them read outsiders.

    Parameters
    ----------
    tables : Tables
        The audited rows.
    others : LabelledRows
        Outsiders, after the map; each counts as a person of its own.
    tasks : sequence of ClassTask
        The attributes.
    identities : ndarray of shape (n,)
        Of the audited rows.
    attackers : tuple of Attacker
        Who learns from the table.
    random_state : int
        The seed.
    workers : Workers
        Who does the jobs.

    Returns
    -------
    dict of str to Headline
        The strongest attacker of each attribute that outsiders are labelled for.
    """
    prepared = tables.with_rows(tables.after, others.vectors, (STANDARDISED, WHITENED))
    everyone = np.concatenate([identities, identities.max() + 1 + np.arange(len(others))])
    attacks = []
    for task in tasks:
        known, labelled = with_labels(task, others.codes(task))
        if _are_enough(known, labelled):
            attacks.append(
                Attack(AFTER, prepared, replace(known, test=labelled), attackers, "outsiders")
            )
    trials = attack(attacks, seed=random_state, workers=workers, steps=Steps(0))
    found = {}
    for one, own in zip(attacks, trials, strict=True):
        assert isinstance(one.task, ClassTask)
        truth = one.task.truth(everyone, random_state)
        found[one.task.name] = summarise_classes(AFTER, own, one.task, truth).result.strongest
    return found


def _are_enough(task: ClassTask, rows: IntArray) -> bool:
    """Whether every class has two rows."""
    return bool(task.counts(rows).min() >= 2) if len(rows) else False
