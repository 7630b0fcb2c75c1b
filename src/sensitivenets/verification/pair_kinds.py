"""Pairs of rows of one domain, and pairs of rows of two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sensitivenets.verification.pairs import BoolArray, IntArray
from sensitivenets.verification.subject_rows import SubjectRows

WITHIN, ACROSS = "within", "across"


@dataclass(frozen=True)
class PairKind:
    """Which pairs of a table count.

    Attributes
    ----------
    domains : ndarray of shape (n,), int64
        Domain of each row, such as a camera or a country.
    across : bool
        Whether pairs of two domains count, and not those of one.
    """

    domains: IntArray
    across: bool

    def holds(self, left: IntArray, right: IntArray) -> BoolArray:
        """Say which pairs of rows count; the numbers of rows broadcast."""
        one, other = self.domains[left], self.domains[right]
        return np.not_equal(one, other) if self.across else np.equal(one, other)


@dataclass(frozen=True)
class KindSizes:
    """How many pairs of a kind rows make.

    Attributes
    ----------
    rows : SubjectRows
        The rows.
    kind : PairKind or None
        The kind; None for all pairs.
    """

    rows: SubjectRows
    kind: PairKind | None = None

    @property
    def n_subjects(self) -> int:
        """Subjects that have rows."""
        return len(self.rows.rows_per_subject)

    @property
    def n_genuine_subjects(self) -> int:
        """Subjects with a genuine pair."""
        return int(np.count_nonzero(self._genuine))

    @property
    def n_genuine(self) -> int:
        """Pairs of rows of one subject."""
        return int(self._genuine.sum())

    @property
    def n_impostor(self) -> int:
        """Pairs of rows of two subjects."""
        n = len(self.rows)
        domains = np.zeros(n, dtype=np.int64) if self.kind is None else self.kind.domains
        inside = int(_pairs_of(np.unique(domains, return_counts=True)[1]).sum())
        across = self.kind is not None and self.kind.across
        return (n * (n - 1) // 2 - inside if across else inside) - self.n_genuine

    @cached_property
    def _genuine(self) -> IntArray:
        """Genuine pairs of each subject."""
        all_pairs = _pairs_of(self.rows.rows_per_subject)
        if self.kind is None:
            return all_pairs
        subject = np.unique(self.rows.codes, return_inverse=True)[1]
        both = np.stack([subject, self.kind.domains], axis=1)
        cells, counts = np.unique(both, axis=0, return_counts=True)
        inside = np.zeros(len(all_pairs), dtype=np.int64)
        np.add.at(inside, cells[:, 0], _pairs_of(counts))
        return all_pairs - inside if self.kind.across else inside


def _pairs_of(counts: IntArray) -> IntArray:
    return counts * (counts - 1) // 2
