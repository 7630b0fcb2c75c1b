"""The rows of a table in the order of their subjects, as unit vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.verification.pairs import IntArray


@dataclass(frozen=True)
class SubjectRows:
    """Unit rows ordered by subject, so that genuine pairs lie next to the diagonal.

    Attributes
    ----------
    unit : ndarray of shape (n, d), float32
        Rows of length 1.
    codes : ndarray of shape (n,), int64
        Subject of each row, ascending.
    order : ndarray of shape (n,), int64
        The row of the table that each came from.
    n_subjects : int
        Subjects of the table; more than there are here in a part of it.
    """

    unit: FloatArray
    codes: IntArray
    order: IntArray
    n_subjects: int

    @classmethod
    def of(cls, vectors: FloatArray, codes: IntArray) -> SubjectRows:
        """Order and normalise a copy of `vectors`; rows with a negative code are left out."""
        order = np.argsort(codes, kind="stable")
        order = order[np.searchsorted(codes[order], 0) :]
        subjects, consecutive = np.unique(codes[order], return_inverse=True)
        unit = np.empty((len(order), vectors.shape[1]), dtype=np.float32)
        for rows in row_blocks(len(order)):
            block = vectors[order[rows]].astype(np.float64)
            normalise_rows(block)
            unit[rows] = block
        return cls(unit, consecutive, order, len(subjects))

    def take(self, keep: npt.NDArray[np.bool_]) -> SubjectRows:
        """Keep some rows, in the same order, with the same codes of subjects."""
        return SubjectRows(self.unit[keep], self.codes[keep], self.order[keep], self.n_subjects)

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def rows_per_subject(self) -> IntArray:
        """Rows of each subject that has any."""
        return np.unique(self.codes, return_counts=True)[1]

    @property
    def n_genuine(self) -> int:
        """Pairs of rows of one subject."""
        counts = self.rows_per_subject
        return int((counts * (counts - 1) // 2).sum())

    @property
    def n_impostor(self) -> int:
        """Pairs of rows of two subjects."""
        return len(self) * (len(self) - 1) // 2 - self.n_genuine
