"""What attackers may learn an attribute from: labels of the table, a sample of them, or routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sensitivenets.audit.splits import Split, split_by_identity, split_rows
from sensitivenets.embeddings import EmbeddingTable, FloatArray, Labels
from sensitivenets.embeddings.labels import UNLABELLED, code_type
from sensitivenets.engines import Engine
from sensitivenets.erasers.transport.place import find_place
from sensitivenets.errors import InputError, some_of
from sensitivenets.maps.base import FittedMap, Model
from sensitivenets.maps.routed import Groups
from sensitivenets.progress import Progress
from sensitivenets.report.audits import audit as audit_of
from sensitivenets.report.result import Audit

#: Appended to the name of an attribute that was attacked with the table's own routes as labels.
ESTIMATED = " (estimated labels)"
#: Appended where the attackers learned from routes and were tested on true labels of a sample.
SAMPLED = " (labelled sample)"
#: With labels on fewer rows, attackers learn from routes and the labelled rows are all for testing.
MOSTLY_LABELLED = 0.5


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
        return 0 < self.share < MOSTLY_LABELLED

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


@dataclass(frozen=True)
class Attack:
    """How a protected table is attacked; attributes are parameters of `report.audit`."""

    quick: bool
    random_state: int
    n_jobs: int
    engine: Engine | None
    progress: Progress | None

    def on(
        self,
        before: EmbeddingTable,
        after: EmbeddingTable,
        guessed: Mapping[str, Labels],
        subject: Labels | None,
        phi: FittedMap,
        numbers: Mapping[str, FloatArray] | None = None,
    ) -> tuple[Audit, tuple[str, ...]]:
        """Attack rows before and after a map.

        Parameters
        ----------
        before, after : EmbeddingTable
            The rows; true labels are columns of `before`.
        guessed : mapping of str to Labels
            Routes as labels, of each attribute to attack.
        subject : Labels, optional
            Identity of each row.
        phi : FittedMap
            The map, to undo.
        numbers : mapping of str to ndarray of shape (n,), optional
            What regressors read as numbers, in a whole audit.

        Returns
        -------
        Audit
            What was found.
        tuple of str
            Attributes of which no row has a true label.
        """
        attributes = {name: _evidence(before, name, guessed) for name in guessed}
        split = _split(before, attributes.values(), subject, self.random_state)
        found = audit_of(
            before,
            after,
            {evidence.title: evidence.labels(split) for evidence in attributes.values()},
            continuous=None if self.quick else numbers,
            split=split,
            quick=self.quick,
            model=None if self.quick else phi,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            engine=self.engine,
            progress=self.progress,
        )
        return found, tuple(name for name, one in attributes.items() if not one.share)


def _evidence(table: EmbeddingTable, name: str, guessed: Mapping[str, Labels]) -> _Evidence:
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


def estimated_labels(fitted: Model, routes: Groups) -> dict[str, Labels]:
    """Turn predicted groups into a label of each attribute; they are estimates, not labels.

    Parameters
    ----------
    fitted : Model
        What the groups come from; its attributes are crossed.
    routes : ndarray of shape (n,)
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
    codes = np.unravel_index(np.arange(n_groups), sizes)
    return {
        name: Labels(name, codes[k].astype(code_type(len(classes)))[routes], classes)
        for k, (name, classes) in enumerate(fitted.removed.items())
    }


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
