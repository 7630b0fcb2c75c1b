"""Protect a table without labels of its own: adapt, transform, and audit what can be audited."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from sensitivenets.audit.splits import Split, split_by_identity, split_rows
from sensitivenets.embeddings import EmbeddingTable, Labels, canonical_values
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.engines import Engine
from sensitivenets.erasers.transport.adapt import Adapted, adapted_model
from sensitivenets.erasers.transport.place import find_place
from sensitivenets.errors import DataWarning, InputError, require_real, some_of
from sensitivenets.maps.base import Model, require_features
from sensitivenets.maps.made_by import signed
from sensitivenets.progress import Progress
from sensitivenets.report.audits import audit as audit_of
from sensitivenets.report.result import Audit
from sensitivenets.tradeoff.banded import banded
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.measure import TradeOff
from sensitivenets.tradeoff.own_table import OnTable, fitted_on, on_table
from sensitivenets.tradeoff.rehearsal import in_words, rehearse, why_not

#: Appended to the name of an attribute that was attacked with the table's own routes as labels.
ESTIMATED = " (estimated labels)"
#: Appended where the attackers learned from routes and were tested on true labels of a sample.
SAMPLED = " (labelled sample)"
# With labels on fewer rows, attackers learn from routes and the labelled rows are all for testing.
_MOSTLY_LABELLED = 0.5


@dataclass(frozen=True)
class Protected:
    """A protected table, and what is known of what it still tells.

    Attributes
    ----------
    table : EmbeddingTable
        The agnostic rows with the label columns, the removed attributes left out.
    model : Model
        Maps people embedded later.
    adapted : Adapted
        Rows of each predicted group, the forecast for new rows, and doubts.
    audit : Audit
        Attackers on this table, before and after. An attribute that the table has no labels of
        is attacked with its routes as labels, and its name says so.
    unlabelled : tuple of str
        Attributes, but no numbers, of which no row has a true label.
    taken : Candidate
        What was done to the table.
    why : str
        In words, what it was compared with, or why with nothing.
    trade_off : TradeOff or None
        All that was compared.
    """

    table: EmbeddingTable
    model: Model
    adapted: Adapted
    audit: Audit
    unlabelled: tuple[str, ...]
    taken: Candidate
    why: str
    trade_off: TradeOff | None

    def lines(self) -> list[str]:
        """Say what was done and why, and what people who come later will show."""
        said = [f"taken: {self.taken}; {self.why}"]
        if self.taken.means_only:
            return [*said, "new rows: not forecast; their groups' means are moved, no covariance"]
        return said + self.adapted.forecast.lines()


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
    hidden = (_names(remove), _names(continuous))
    names = [*hidden[0], *hidden[1]]
    if not names:
        raise InputError("remove: expected an attribute or a number to hide, found none")
    if identity in names:
        raise InputError(f"remove: {identity!r} is the identity, which is what is kept")
    asked = banded(table, reference, hidden[1])
    table, reference = asked.table, asked.reference
    if isinstance(reference, EmbeddingTable):
        require_features(table.vectors, reference.vectors.shape[1])
    subject = None if identity is None else table.identities(identity)
    if domain is not None and domain in [*names, identity]:
        raise InputError(f"domain: {domain!r} is what is removed or kept; name a source of rows")
    grouped = names if domain is None else [*names, domain]
    trade_off, why = _compared(
        reference, names, identity, domain, utility_budget, random_state, progress
    )
    taken = Candidate() if trade_off is None else trade_off.taken
    fitted = _fitted(reference, grouped, taken, table, random_state)
    codes = None if subject is None else subject.codes
    moved = on_table(fitted, taken, table.vectors, codes, random_state)
    adapted = moved.adapted
    for doubt in adapted.doubts:
        warnings.warn(f"{table.source}: {doubt}", DataWarning, stacklevel=2)
    # What is written is what is attacked: its last digits tell nothing.
    after = canonical_values(moved.vectors)
    guessed = estimated_labels(fitted, moved.routes)
    attributes = {name: _evidence(table, name, guessed) for name in names}
    split = _split(table, attributes.values(), subject, random_state)
    made = _recorded(fitted, moved, taken, trade_off, table)
    shown = [
        name for name in table.columns.column_names if name not in fitted.removed or name == domain
    ]
    written = signed(replace(table, vectors=after, columns=table.columns.select(shown)), made)
    found = audit_of(
        table,
        written,
        {evidence.title: evidence.labels(split) for evidence in attributes.values()},
        continuous=None if quick else asked.numbers,
        split=split,
        quick=quick,
        model=None if quick else moved.map,
        random_state=random_state,
        n_jobs=n_jobs,
        engine=engine,
        progress=progress,
    )
    return Protected(
        table=written,
        model=made,
        adapted=adapted,
        audit=found,
        unlabelled=tuple(name for name in hidden[0] if not attributes[name].share),
        taken=taken,
        why=why,
        trade_off=trade_off,
    )


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


@dataclass(frozen=True)
class _Evidence:
    """What attackers may learn an attribute from, and what they are tested on."""

    name: str
    guessed: Labels
    known: Labels | None

    @property
    def share(self) -> float:
        """Share of the rows that have a true label."""
        return 0.0 if self.known is None else float(self.known.labelled.mean())

    @property
    def is_sampled(self) -> bool:
        """Whether true labels are only enough to test on."""
        return 0 < self.share < _MOSTLY_LABELLED

    @property
    def title(self) -> str:
        """Name of the attribute in the audit, which says what its labels are."""
        return self.name + (SAMPLED if self.is_sampled else ESTIMATED if not self.share else "")

    def labels(self, split: Split) -> Labels:
        """Return the labels of all rows: true ones, routes, or routes and true ones to test on."""
        if self.known is None or not self.share:
            return self.guessed
        if not self.is_sampled:
            return self.known
        codes = np.full(len(self.guessed), UNLABELLED, dtype=np.int64)
        codes[split.train] = self.guessed.codes[split.train]
        position = [self.guessed.classes.index(one) for one in self.known.classes]
        true = self.known.codes[split.test]
        codes[split.test] = np.where(true >= 0, np.take(position, true), UNLABELLED)
        return Labels(self.name, codes, self.guessed.classes)


def _evidence(table: EmbeddingTable, name: str, guessed: dict[str, Labels]) -> _Evidence:
    known = table.labels(name) if name in table.columns.column_names else None
    evidence = _Evidence(name, guessed[name], known)
    other = sorted(set(known.classes if known else ()) - set(guessed[name].classes))
    if evidence.is_sampled and other:
        raise InputError(
            f"{table.source}: {name}: expected labels of the reference "
            f"({some_of(guessed[name].classes)}), found {other[0]!r}; spell them "
            "alike"
        )
    return evidence


def estimated_labels(fitted: Model, routes: npt.NDArray[np.int64]) -> dict[str, Labels]:
    """Turn predicted groups into a label of each attribute; they are estimates, not labels.

    Parameters
    ----------
    fitted : Model
        What the groups come from; its attributes are crossed.
    routes : ndarray of shape (n,), int64
        Predicted group of each row.

    Returns
    -------
    dict of str to Labels
        By attribute.

    Raises
    ------
    InputError
        If some combination of classes had no row in the reference, so that groups have no names.
    """
    sizes = [len(classes) for classes in fitted.removed.values()]
    n_groups = find_place(fitted.map).router.n_groups
    if int(np.prod(sizes)) != n_groups:
        raise InputError(
            f"reference: expected rows of all {int(np.prod(sizes))} combinations of "
            f"{' and '.join(fitted.removed)}, found {n_groups}; give a reference that has them, or "
            "remove one attribute at a time"
        )
    codes = np.unravel_index(routes, sizes)
    return {
        name: Labels(name, np.asarray(codes[k], dtype=np.int64), classes)
        for k, (name, classes) in enumerate(fitted.removed.items())
    }


def _compared(
    reference: EmbeddingTable | Model,
    names: list[str],
    identity: str | None,
    domain: str | None,
    budget: float | None,
    seed: int,
    progress: Progress | None,
) -> tuple[TradeOff | None, str]:
    """Rehearse on the reference where that is possible, and say in words what came of it."""
    if budget is None:
        return None, "nothing was compared: no budget"
    require_real("utility_budget", budget, minimum=0, maximum=1)
    if isinstance(reference, Model):
        return None, "nothing was compared: the reference is a model, without rows"
    # Checked here, where the message can name the file.
    grouped = names if domain is None else [*names, domain]
    reference.attributes(grouped)
    impossible = why_not(reference, grouped, identity)
    if impossible or identity is None:
        return None, f"nothing was compared: {impossible}"
    try:
        found = rehearse(
            reference, names, identity, budget, domain=domain, seed=seed, progress=progress
        )
    except InputError as error:
        # A half of the reference may be too small for what the whole of it is enough for.
        return None, f"nothing was compared: a half of the reference is too small ({error})"
    return found, in_words(found)


def _recorded(
    fitted: Model,
    moved: OnTable,
    taken: Candidate,
    trade_off: TradeOff | None,
    table: EmbeddingTable,
) -> Model:
    """Make the model for later people, with the record of the rehearsal behind the adaptation's."""
    made = adapted_model(fitted, moved.adapted, table_record(table.vectors))
    points = () if trade_off is None else trade_off.curve()
    return replace(
        made,
        map=moved.map,
        method="LEACE" if taken.means_only else made.method,
        curve=(*made.curve, *points),
    )


def _fitted(
    reference: EmbeddingTable | Model,
    names: list[str],
    candidate: Candidate,
    table: EmbeddingTable,
    random_state: int,
) -> Model:
    """Fit on the reference, or take the model that was."""
    if isinstance(reference, EmbeddingTable):
        # Checked here, where the message can name the file.
        reference.attributes(names)
        return fitted_on(reference, names, candidate, table.vectors, random_state)
    missing = [name for name in names if name not in reference.removed]
    if missing:
        raise InputError(
            f"reference: expected a model that removes {missing[0]!r}, found one that removes "
            f"{some_of(reference.removed)}; fit one, or give the table"
        )
    return reference


def _split(
    table: EmbeddingTable, evidence: Iterable[_Evidence], subject: Labels | None, seed: int
) -> Split:
    """Test on the rows of a labelled sample, if there is one, else on 30 % of the people."""
    sampled = np.zeros(len(table), dtype=bool)
    for one in evidence:
        if one.is_sampled and one.known is not None:
            sampled |= one.known.labelled
    if not sampled.any():
        return (
            split_rows(len(table), seed=seed)
            if subject is None
            else split_by_identity(subject, seed=seed)
        )
    train = ~sampled
    if subject is not None:
        known = subject.labelled
        train &= ~(known & np.isin(subject.codes, subject.codes[sampled & known]))
    return Split(np.flatnonzero(train), np.flatnonzero(sampled), subject)
