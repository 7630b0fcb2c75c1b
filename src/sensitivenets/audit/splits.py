"""Who trains the attackers and who is attacked: rows split so that no identity is on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.rows import normalise_rows, row_blocks
from sensitivenets.errors import InputError, require_real, some_of

IntArray = npt.NDArray[np.int64]
# Test rows compared at once: 40 MiB of float32 against 10 000 training rows.
# Test rows that are compared with all training rows at once.
_COMPARED_ROWS = 1024


@dataclass(frozen=True)
class Split:
    """Training and test rows of an attack.

    Attributes
    ----------
    train, test : ndarray of int64
        Row numbers, ascending.
    groups : Labels or None
        The identity of every row of the table. None if identities are not known: each row then
        counts as its own. An unlabelled row counts as an identity of its own.
    """

    train: IntArray
    test: IntArray
    groups: Labels | None = None

    def __post_init__(self) -> None:
        for side, rows in (("training", self.train), ("test", self.test)):
            if len(rows) == 0:
                raise InputError(f"split: expected {side} rows, found none; choose another share")
        both = np.intersect1d(self.train, self.test)
        if len(both):
            raise InputError(
                f"split: row {both[0]} is among the training and the test rows "
                f"({len(both)} such rows); give each row to one side"
            )
        if self.groups is not None:
            _refuse_shared_identities(self.groups, self.train, self.test)

    def identities(self, n_rows: int) -> IntArray:
        """Identity number of every row of the table: shape (n_rows,), never negative."""
        if self.groups is None:
            return np.arange(n_rows)
        return _own_identity_where_unlabelled(self.groups)


def split_by_identity(groups: Labels, test_share: float = 0.3, seed: int = 0) -> Split:
    """Give whole identities to training or test, at random.

    Parameters
    ----------
    groups : Labels
        The identity of each row; an unlabelled row counts as an identity of its own.
    test_share : float
        Share of the identities to test on, in (0, 1).
    seed : int
        Decides which.

    Returns
    -------
    Split
        Identity-disjoint rows.

    Raises
    ------
    InputError
        If the share is outside (0, 1), or there are fewer than two identities.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test_share: expected a share in (0, 1), found {test_share}")
    identities = _own_identity_where_unlabelled(groups)
    distinct = np.unique(identities)
    if len(distinct) < 2:
        raise InputError(
            f"column {groups.name!r}: expected at least two identities to split, "
            f"found {len(distinct)}; leave the identity out if each row is its own"
        )
    n_test = min(max(round(test_share * len(distinct)), 1), len(distinct) - 1)
    tested = np.random.default_rng(seed).permutation(distinct)[:n_test]
    in_test = np.isin(identities, tested)
    return Split(np.flatnonzero(~in_test), np.flatnonzero(in_test), groups)


def split_rows(n_rows: int, test_share: float = 0.3, seed: int = 0) -> Split:
    """Split rows at random where identities are not known: each row counts as its own.

    Parameters
    ----------
    n_rows : int
        Rows of the table.
    test_share : float
        Share of the rows to test on, in (0, 1).
    seed : int
        Decides which.

    Returns
    -------
    Split
        Without groups.

    Raises
    ------
    InputError
        If the share is outside (0, 1), or there are fewer than two rows.
    """
    rows = Labels("row", np.arange(n_rows), ())
    split = split_by_identity(rows, test_share, seed)
    return Split(split.train, split.test)


def split_by_column(
    column: Labels, train: str = "train", test: str = "test", groups: Labels | None = None
) -> Split:
    """Split by a column of the table that says which rows train and which test.

    Parameters
    ----------
    column : Labels
        Such as the column ``split``.
    train, test : str
        The values that mark training and test rows; other rows are left out.
    groups : Labels, optional
        The identity of each row.

    Returns
    -------
    Split
        As the column says.

    Raises
    ------
    InputError
        If no row has one of the values, or an identity has rows on both sides.
    """
    rows = []
    for value in (train, test):
        if value not in column.classes:
            found = some_of(column.classes)
            raise InputError(
                f"column {column.name!r}: no row has the value {value!r}; its values are {found}"
            )
        rows.append(np.flatnonzero(column.codes == column.classes.index(value)))
    return Split(rows[0], rows[1], groups)


def _own_identity_where_unlabelled(groups: Labels) -> IntArray:
    identities = groups.codes.copy()
    unknown = np.flatnonzero(~groups.labelled)
    identities[unknown] = max(int(identities.max(initial=-1)), -1) + 1 + np.arange(len(unknown))
    return identities


def _refuse_shared_identities(groups: Labels, train: IntArray, test: IntArray) -> None:
    known_train = groups.codes[train][groups.labelled[train]]
    known_test = groups.codes[test][groups.labelled[test]]
    shared = np.intersect1d(known_train, known_test)
    if len(shared):
        code = int(shared[0])
        name = groups.classes[code] if code < len(groups.classes) else str(code)
        raise InputError(
            f"split: identity {name!r} (column {groups.name!r}) has training and test rows "
            f"({len(shared)} such identities); split by identity, or an attacker that recognises "
            "the person scores without reading the attribute"
        )


def without_look_alikes(split: Split, X: FloatArray, cosine: float) -> Split:
    """Leave out the training rows that look like a test row, probably the same person.

    An attacker that recognises a person knows the label without reading it, and any embedding
    that verifies lets it. Where identities are known a split keeps them apart; where they are not,
    the embeddings say who is probably the same. Test rows all stay.

    Parameters
    ----------
    split : Split
        Who trains and who is attacked.
    X : ndarray of shape (n, d)
        Embeddings of all rows *before* the map, so that every map is attacked by the same rows.
    cosine : float
        Above -1, at most 1. A training row whose cosine with any test row is this or more is left
        out. Choose it where few different people of the network are that close.

    Returns
    -------
    Split
        The same test rows, and no more training rows than before.

    Raises
    ------
    InputError
        If the cosine is out of range, or no training row is left.
    """
    require_real("cosine", cosine, above=-1, maximum=1)
    train, test = (np.array(X[rows], dtype=np.float32) for rows in (split.train, split.test))
    normalise_rows(train)
    normalise_rows(test)
    nearest = np.full(len(train), -np.inf, dtype=np.float32)
    for block in row_blocks(len(test), _COMPARED_ROWS):
        np.maximum(nearest, (train @ test[block].T).max(axis=1), out=nearest)
    kept = split.train[nearest < cosine]
    if not len(kept):
        raise InputError(
            f"cosine: expected some training rows below {cosine:g} to every test row, found none: "
            f"the nearest row of each is at {nearest.min():.2f} or more; give a larger cosine"
        )
    return Split(kept, split.test, split.groups)
