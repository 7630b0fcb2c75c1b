"""Protect a table without labels of its own: adapt, transform, and audit what can be audited."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from sensitivenets.embeddings import EmbeddingTable, canonical_values
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.engines import Engine
from sensitivenets.errors import DataWarning
from sensitivenets.maps.base import Model, require_features
from sensitivenets.maps.made_by import signed
from sensitivenets.progress import Progress
from sensitivenets.tradeoff.banded import banded
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.evidence import Attack, estimated_labels
from sensitivenets.tradeoff.labelled_sample import SAMPLE_ROWS, draw_sample
from sensitivenets.tradeoff.own_table import fitted_on, on_table
from sensitivenets.tradeoff.removal import Protection, Removal, on_record


@dataclass(frozen=True)
class Protected(Protection):
    """A protected table, and what is known of what it still tells.

    Attributes
    ----------
    table : EmbeddingTable
        The agnostic rows with the label columns, the removed attributes left out.
    model, adapted, audit, unlabelled, taken, why, trade_off, sample, drawn
        See `Protection`.
    """

    table: EmbeddingTable

    table_name: ClassVar[str] = "table.parquet"


def protect(
    table: EmbeddingTable,
    reference: EmbeddingTable | Model,
    *,
    remove: str | Sequence[str] = (),
    continuous: str | Sequence[str] = (),
    identity: str | None = None,
    domain: str | None = None,
    utility_budget: float | None = 0.02,
    quick: bool = False,
    random_state: int = 0,
    n_jobs: int = 2,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Protected:
    """Hide attributes of a table that need not be labelled in it.

    Groups are learned from a labelled reference, found again among the rows of the table without
    a label of it, and moved onto one another by the table's own moments. Then attackers try what
    can be tried: with the table's labels of an attribute, if most rows have one; trained on
    routes and tested on its labels, if few have; else trained and tested on routes, which are
    estimated labels and cannot say what a true label would.

    How they are moved is rehearsed on the reference, if its rows name identities: its one half
    plays the table, and what leaks least within a budget of verification is done to the real one
    (`tradeoff.rehearsal`). Otherwise, and for a model, it is one round of transport.

    Parameters
    ----------
    table : EmbeddingTable
        What is to be protected. Labels of the attributes are used by the attackers only.
    reference : EmbeddingTable or Model
        Embeddings of the same network with the attributes, or a model fitted on them.
    remove : str or sequence of str
        Attributes to hide: columns of the reference.
    continuous : str or sequence of str, optional
        Numbers to hide, such as an age: their bands in the reference are made alike. Where `table`
        has them, and the whole audit is asked for, regressors read them as numbers too.
    identity : str, optional
        Column of `table` that says who a row shows: rows of a person are moved alike, nobody is
        on both sides of the attack, and recognition is measured. The reference is rehearsed on if
        it has the column too.
    domain : str, optional
        Column of the reference that says which source a row is from, such as a camera or a
        country: each source has groups and moments of its own, found in the table without it.
    utility_budget : float, optional
        Verification accuracy that may be lost in the rehearsal, a fraction; None for none.
    quick : bool, default=False
        Attack with the three attackers of the paper only: seconds instead of minutes.
    random_state : int, default=0
        The seed.
    n_jobs : int, default=2
        Processes of the audit.
    engine : Engine, optional
        Runs the attackers instead; it changes nothing of the result.
    progress : Progress, optional
        Told of each step of the audit.

    Returns
    -------
    Protected
        Its ``audit`` is of the rows in hand; ``adapted.forecast`` is of people who come later.

    Raises
    ------
    InputError
        If the tables or columns do not fit, or the reference's model cannot be adapted.

    Warns
    -----
    DataWarning
        For each reason not to trust the routes.

    Examples
    --------
    >>> from sensitivenets import protect, synthetic_diveface
    >>> faces = synthetic_diveface(n_subjects=900, images_per_subject=3, dim=32, random_state=0)
    >>> known, mine = faces.where("split", "fit"), faces.where("split", "attack_train")
    >>> protected = protect(mine, known, remove="gender", quick=True, n_jobs=1)
    >>> protected.table.columns.column_names
    ['subject', 'ethnicity', 'split']
    """
    asked = Removal.of(remove, continuous, identity, domain, utility_budget)
    attack = Attack(quick, random_state, n_jobs, engine, progress)
    return protect_table(table, reference, asked, attack)


def protect_table(
    table: EmbeddingTable, reference: EmbeddingTable | Model, asked: Removal, attack: Attack
) -> Protected:
    """Do what `protect` does, which says what each parameter is."""
    seed = attack.random_state
    bands = banded(table, reference, asked.numbers)
    table, reference = bands.table, bands.reference
    if isinstance(reference, EmbeddingTable):
        require_features(table.vectors, reference.vectors.shape[1])
    subject = None if asked.identity is None else table.identities(asked.identity)
    trade_off, why = asked.compared(reference, seed, attack.progress)
    taken = Candidate() if trade_off is None else trade_off.taken
    fitted = _fitted(reference, asked, taken, table, seed)
    codes = None if subject is None else subject.codes
    moved = on_table(fitted, taken, table.vectors, codes, seed)
    for doubt in moved.adapted.doubts:
        warnings.warn(f"{table.source}: {doubt}", DataWarning, stacklevel=3)
    # What is written is what is attacked: its last digits tell nothing.
    after = canonical_values(moved.vectors)
    guessed = {k: v.widened() for k, v in estimated_labels(fitted, moved.routes).items()}
    record = table_record(table.vectors)
    made = on_record(fitted, moved.adapted, moved.map, trade_off, record)
    shown = table.columns.select(asked.written(table.columns.column_names, fitted.removed))
    written = signed(replace(table, vectors=after, columns=shown), made)
    found, unlabelled = attack.on(
        table,
        written,
        {name: guessed[name] for name in asked.names},
        subject,
        moved.map,
        bands.numbers,
    )
    return Protected(
        table=written,
        model=made,
        adapted=moved.adapted,
        audit=found,
        unlabelled=tuple(name for name in unlabelled if name in asked.attributes),
        taken=taken,
        why=why,
        trade_off=trade_off,
        sample=draw_sample(table, SAMPLE_ROWS, seed),
        drawn=None,
    )


def _fitted(
    reference: EmbeddingTable | Model,
    asked: Removal,
    candidate: Candidate,
    table: EmbeddingTable,
    random_state: int,
) -> Model:
    """Fit on the reference, or take the model that was."""
    if isinstance(reference, EmbeddingTable):
        # Checked here, where the message can name the file.
        reference.attributes(asked.grouped)
        return fitted_on(reference, asked.grouped, candidate, table.vectors, random_state)
    asked.require_removed(reference)
    return reference
