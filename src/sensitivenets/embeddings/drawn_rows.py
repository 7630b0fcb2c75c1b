"""A part of a large table that stands for all of it: whole subjects, in due proportion, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings.labels import Labels, counted, first_free
from sensitivenets.embeddings.rows import CHUNK_ROWS, Codes, row_blocks

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
    subject: Codes | None,
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
    subject : ndarray of shape (n_rows,), optional
        Code of each row's subject; rows of -1 are not drawn. Without, rows are drawn by themselves.
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
    n_known, who, keys = _kinds(n_rows, subject, strata)
    if n_rows <= most:
        return DrawnRows(np.arange(n_rows), n_rows, len(who), len(who), names, seed)
    rng = np.random.default_rng(seed)
    # The last key is the first to go by.
    order = np.lexsort([rng.random(len(who)), *keys])
    n_drawn = max(1, min(len(who), round(len(who) * most / n_known)))
    step = len(who) / n_drawn
    places = np.floor((np.arange(n_drawn) + rng.random()) * step).astype(np.int64)
    drawn = np.unique(who[order[np.minimum(places, len(who) - 1)]])
    rows = drawn if subject is None else _rows_of(subject, drawn)
    return DrawnRows(rows, n_rows, len(drawn), len(who), names, seed)


def _kinds(
    n_rows: int, subject: Codes | None, strata: Sequence[Labels]
) -> tuple[int, npt.NDArray[np.int64], list[npt.NDArray[Any]]]:
    """Return the rows of anybody, the subjects or rows to choose from, and what to sort them by."""
    if subject is None:
        return n_rows, np.arange(n_rows), [labels.codes for labels in strata]
    counts = counted(subject, first_free(subject))
    who = np.flatnonzero(counts)
    first = _first_rows(subject)[who]
    # Subjects of 2 and 3 rows are of one kind, 4 to 7, ...
    sizes = np.floor(np.log2(counts[who]))
    return int(counts.sum()), who, [sizes, *(labels.codes[first] for labels in strata)]


def _first_rows(codes: Codes) -> npt.NDArray[np.int64]:
    """Return the number of the first row of each code."""
    first = np.zeros(first_free(codes) + 1, dtype=np.int64)
    # From behind: of several rows of a code, the last to be written stays.
    for where in reversed(list(row_blocks(len(codes), CHUNK_ROWS))):
        first[codes[where][::-1]] = np.arange(where.start, where.start + len(codes[where]))[::-1]
    return first[:-1]


def _rows_of(codes: Codes, drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows whose code was drawn, ascending."""
    # Behind the last code: rows of nobody known.
    is_drawn = np.zeros(first_free(codes) + 1, dtype=bool)
    is_drawn[drawn] = True
    found = [
        where.start + np.flatnonzero(is_drawn[codes[where]])
        for where in row_blocks(len(codes), CHUNK_ROWS)
    ]
    return np.concatenate(found)
