"""What real tables get wrong and a fit survives: duplicates, contradictions, broken rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings.arrays import FloatArray, squared_norms
from sensitivenets.embeddings.label_doubts import without_blanks
from sensitivenets.embeddings.labels import Labels, combinations
from sensitivenets.embeddings.rows import first_occurrences, row_hashes
from sensitivenets.embeddings.source_rows import SourceRows
from sensitivenets.embeddings.table import EmbeddingTable
from sensitivenets.errors import DataWarning

_EXAMPLES = 3
# Rows that may be read again to tell whether they are equal.
_LOOKED_AT = 100_000
# Hashes that are held and sorted, sixteen bytes each.
_MOST_HASHES = 4_000_000
# A row so many times as long as most weighs as much as ten thousand of them in a second moment.
_TOO_LONG = 100


@dataclass(frozen=True)
class Contradictions:
    """Identities whose rows disagree on an attribute that a person has only one of.

    Attributes
    ----------
    n_identities : int
        Identities with at least one row labelled with the attribute.
    n_contradicting : int
        Those of them with two classes or more.
    examples : tuple of (str, dict of str to int)
        The first few: the identity, and its rows of each class.
    """

    n_identities: int
    n_contradicting: int
    examples: tuple[tuple[str, dict[str, int]], ...]


@dataclass(frozen=True)
class Duplicates:
    """Rows that are equal to an earlier row in every feature.

    Attributes
    ----------
    n_rows : int
        Rows looked at.
    n_duplicates : int
        Rows that repeat an earlier one; three equal rows are two duplicates.
    examples : tuple of (int, int)
        The first few: an earlier row and the row that repeats it, counted from 0.
    """

    n_rows: int
    n_duplicates: int
    examples: tuple[tuple[int, int], ...]


def warn_about(
    table: EmbeddingTable, *, identity: str | None = None, attributes: Sequence[str] = ()
) -> None:
    """Warn of duplicated rows, of identities that contradict themselves, and of broken rows.

    Parameters
    ----------
    table : EmbeddingTable
        Embeddings with labels.
    identity : str, optional
        The identity column; without it, labels are not looked at.
    attributes : sequence of str, default=()
        Columns that should be the same in all rows of an identity.

    Warns
    -----
    DataWarning
        One for duplicates, one for rows over a hundred times as long as most and one for each
        attribute, with counts and examples.

    Raises
    ------
    InputError
        If the table has no such column.
    """
    _warn_of_duplicates(find_duplicates(table.vectors), table.source, len(table))
    _warn_of_long_rows(*find_long_rows(table.vectors), table.source, len(table))
    if identity is not None:
        who = table.identities(identity)
        for name in attributes:
            _warn_of_contradictions(who, table.labels(name), table.source)


def warn_about_rows(
    rows: SourceRows, *, identity: str | None = None, attributes: Sequence[str] = ()
) -> None:
    """Do what `warn_about` does for a table that is read and not held: hashes of rows are.

    Of more than four million rows those with the lower half of hashes are looked at, of more than
    eight the lowest quarter, and so on: rows that repeat each other have one hash. How many were
    looked at is then said.

    Parameters are those of `warn_about`, but for

    Parameters
    ----------
    rows : SourceRows
        The table, and who goes through it; read once, and once more if rows repeat.
    """
    source = rows.source
    every = 1
    while source.n_rows > every * _MOST_HASHES:
        every *= 2
    parts = list(rows.over(_Hashes(every)))
    numbers, hashes, long, times = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    _, which, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    repeated = counts[which] > 1
    suspects = numbers[repeated]
    # Rows of one hash are looked at themselves, as long as they are few enough to be.
    if 0 < len(suspects) <= _LOOKED_AT:
        found = find_duplicates(source.take(suspects).vectors)
        pairs = [(int(suspects[one]), int(suspects[again])) for one, again in found.examples]
        found = Duplicates(len(hashes), found.n_duplicates, tuple(pairs))
    else:
        found = Duplicates(len(hashes), len(suspects) - int((counts > 1).sum()), ())
    _warn_of_duplicates(found, source.name, source.n_rows)
    _warn_of_long_rows(long, times, source.name, source.n_rows)
    if identity is not None and attributes:
        who = without_blanks(source.read_codes(identity))
        for name in attributes:
            labels = source.read_codes(name)
            _warn_of_contradictions(who, labels, source.name)


@dataclass(frozen=True)
class _Hashes:
    """Hashes the rows of a stretch, and keeps the lowest of them, one of so many, and long rows."""

    every: int

    def __call__(self, chunks: Iterable[tuple[slice, FloatArray]]) -> tuple[npt.NDArray[Any], ...]:
        """Return the numbers of the rows that are kept, their hashes, and those of long rows."""
        numbers, kept, long, times = [], [], [], []
        for rows, X in chunks:
            far, how_far = find_long_rows(X)
            long.append(rows.start + far)
            times.append(how_far)
            hashes = row_hashes(X)
            # By their high bits: the low ones of rounded numbers are all alike.
            mine = np.flatnonzero(hashes <= np.uint64((2**64 - 1) // self.every))
            numbers.append(rows.start + mine)
            kept.append(hashes[mine])
        return tuple(np.concatenate(each) for each in (numbers, kept, long, times))


def _warn_of_duplicates(found: Duplicates, source: str, n_rows: int) -> None:
    if not found.n_duplicates:
        return
    pairs = ", ".join(f"{first} and {again}" for first, again in found.examples)
    such = f", such as rows {pairs}" if pairs else ""
    looked_at = "" if found.n_rows == n_rows else f" that were looked at, of {n_rows},"
    _warn(
        f"{source}: {found.n_duplicates} of {found.n_rows} rows{looked_at} repeat an earlier "
        f"embedding exactly{such}; results count them as independent"
    )


def _warn_of_long_rows(
    rows: npt.NDArray[np.intp], times: npt.NDArray[np.float64], source: str, n_rows: int
) -> None:
    if not len(rows):
        return
    longest = int(np.argmax(times))
    _warn(
        f"{source}: {len(rows)} of {n_rows} rows are over {_TOO_LONG} times as long as most (row "
        f"{rows[longest]}: {times[longest]:.2g} times): what is fitted is fitted to them; drop "
        "them, or embed them again"
    )


def _warn_of_contradictions(who: Labels, labels: Labels, source: str) -> None:
    found = find_contradictions(who, labels)
    if found.n_contradicting:
        examples = "; ".join(f"{who!r} is {_counted(rows)}" for who, rows in found.examples)
        _warn(
            f"{source}: {found.n_contradicting} of {found.n_identities} values of {who.name!r} "
            f"have rows that contradict each other on {labels.name!r}: {examples}; each row is "
            "used with its own label"
        )


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=4)


def _counted(rows: dict[str, int]) -> str:
    return " and ".join(f"{name!r} in {n} row{'s' * (n > 1)}" for name, n in rows.items())


def find_contradictions(identity: Labels, attribute: Labels) -> Contradictions:
    """Find the identities whose rows carry two classes or more of an attribute.

    Parameters
    ----------
    identity, attribute : Labels
        Of the same rows; rows that lack either are left out.

    Returns
    -------
    Contradictions
        Counts, and the first identities by name.

    Examples
    --------
    >>> from sensitivenets.embeddings.labels import encode
    >>> who, gender = encode("who", ["ann", "ann", "bo"]), encode("gender", ["f", "m", "m"])
    >>> find_contradictions(who, gender).examples
    (('ann', {'f': 1, 'm': 1}),)
    """
    n_classes = max(len(attribute.classes), 1)
    numbers = combinations([identity, attribute])
    cells, rows = np.unique(numbers[numbers >= 0], return_counts=True)
    who, classes_of_each = np.unique(cells // n_classes, return_counts=True)
    contradicting = who[classes_of_each > 1]
    examples = []
    for code in contradicting[:_EXAMPLES]:
        mine = np.flatnonzero(cells // n_classes == code)
        counts = {attribute.classes[cells[k] % n_classes]: int(rows[k]) for k in mine}
        examples.append((identity.classes[code], counts))
    return Contradictions(len(who), len(contradicting), tuple(examples))


def find_long_rows(
    vectors: FloatArray,
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Find rows (of n, d) over a hundred times as long as the median, and how many times."""
    times = np.sqrt(squared_norms(vectors))
    times /= np.median(times)
    rows = np.flatnonzero(times > _TOO_LONG)
    return rows, times[rows]


def find_duplicates(vectors: FloatArray) -> Duplicates:
    """Find rows that repeat an earlier row exactly, in O(n) memory beside the vectors.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        Embeddings; finite.

    Returns
    -------
    Duplicates
        Counts, and the first pairs.
    """
    first = first_occurrences(vectors)
    # Runs of equal rows, so that each repetition is shown beside the one before it.
    order = np.argsort(first, kind="stable")
    earlier, later = order[:-1], order[1:]
    same = first[earlier] == first[later]
    earlier, later = earlier[same], later[same]
    shown = np.argsort(later, kind="stable")[:_EXAMPLES]
    examples = tuple(zip(earlier[shown].tolist(), later[shown].tolist(), strict=True))
    return Duplicates(len(vectors), len(later), examples)
