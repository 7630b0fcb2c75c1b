"""A part of a large table that stands for all of it: whole subjects, in due proportion, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings.labels import Labels

#: Rows above which a table is not compared or attacked whole.
MOST_ROWS = 200_000
#: Rows that are drawn of such a table: five thousand million pairs, some minutes of a core.
DRAWN_ROWS = 100_000


@dataclass(frozen=True)
class DrawnRows:
    """Which rows were drawn, and of how many.

    Attributes
    ----------
    rows : ndarray of shape (k,), int64
        Their numbers, ascending.
    n_rows : int
        Rows there are.
    subjects, n_subjects : int
        Subjects drawn, and subjects there are; rows where nobody knows who is who.
    strata : tuple of str
        Columns whose values are drawn in due proportion.
    seed : int
        Decided which.
    """

    rows: npt.NDArray[np.int64]
    n_rows: int
    subjects: int
    n_subjects: int
    strata: tuple[str, ...]
    seed: int

    def sentence(self) -> str:
        """Say what was drawn."""
        whole = len(self.rows) == self.subjects and self.n_rows == self.n_subjects
        who = "" if whole else f"{self.subjects} of {self.n_subjects} subjects with "
        strata = " and ".join([*self.strata, *([] if whole else ["rows of a subject"])])
        by = f", in proportion by {strata}" if strata else ""
        return f"drawn: {who}{len(self.rows)} of {self.n_rows} rows{by}, seed {self.seed}"


def draw_rows(
    n_rows: int,
    subject: Labels | None,
    strata: Sequence[Labels],
    *,
    most: int = DRAWN_ROWS,
    seed: int = 0,
) -> DrawnRows:
    """Draw about so many rows, all those of a subject or none.

    Subjects are put in the order of their labels, of how many rows they have, and of chance, and
    every so manyth is taken: each kind of subject has its share, to within one.

    Parameters
    ----------
    n_rows : int
        Rows there are.
    subject : Labels of length n_rows, optional
        Identity of each row; unlabelled rows are not drawn. Without, rows are drawn by themselves.
    strata : sequence of Labels of length n_rows
        What to keep in proportion; a subject counts by its first row.
    most : int, default=100000
        Rows to draw; a little more or fewer where subjects have many.
    seed : int, default=0
        Decides which.

    Returns
    -------
    DrawnRows
        All rows if there are no more than `most`.
    """
    names = tuple(labels.name for labels in strata)
    codes = np.arange(n_rows) if subject is None else subject.codes
    known = np.flatnonzero(codes >= 0)
    who, first, where, counts = np.unique(
        codes[known], return_index=True, return_inverse=True, return_counts=True
    )
    if n_rows <= most:
        return DrawnRows(np.arange(n_rows), n_rows, len(who), len(who), names, seed)
    rng = np.random.default_rng(seed)
    keys = [labels.codes[known[first]] for labels in strata]
    # The last key is the first to sort by; subjects of 2 and 3 rows are of one kind, 4 to 7, ...
    order = np.lexsort([rng.random(len(who)), np.floor(np.log2(counts)), *keys])
    n_drawn = max(1, min(len(who), round(len(who) * most / len(known))))
    step = len(who) / n_drawn
    places = np.floor((np.arange(n_drawn) + rng.random()) * step).astype(np.int64)
    drawn = np.zeros(len(who), dtype=bool)
    drawn[order[np.minimum(places, len(who) - 1)]] = True
    return DrawnRows(known[drawn[where]], n_rows, int(drawn.sum()), len(who), names, seed)
