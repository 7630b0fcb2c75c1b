"""Section 4.4 of the paper: a training set biased by group and label, a balanced test set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError, some_of

Rows = npt.NDArray[np.int64]

# Fewer rows than this in a cell, and a true positive rate moves by ten points with each of them.
_MIN_CELL = 10
_CELLS = ((True, True), (True, False), (False, True), (False, False))


@dataclass(frozen=True)
class Cells:
    """The four cells of a binary target and two groups, checked.

    Attributes
    ----------
    target, sensitive : str
        Names of the two columns.
    positive, negative : str
        Classes of the target; the positive one is the advantaged outcome.
    favoured, other : str
        The group that the biased training set favours, and the other one.
    is_positive, is_favoured : ndarray of shape (n,), bool
        One flag a row.
    usable : ndarray of shape (n,), bool
        Rows that carry target, sensitive attribute and subject.
    subjects : ndarray of shape (n,), int64
        Identity code of each row; no identity is in both training and test set.
    """

    target: str
    sensitive: str
    positive: str
    negative: str
    favoured: str
    other: str
    is_positive: npt.NDArray[np.bool_]
    is_favoured: npt.NDArray[np.bool_]
    usable: npt.NDArray[np.bool_]
    subjects: npt.NDArray[np.int64]

    def rows(self, positive: bool, favoured: bool, among: npt.NDArray[np.bool_]) -> Rows:
        """Return the usable rows of one cell, restricted to a mask."""
        cell = (self.is_positive == positive) & (self.is_favoured == favoured)
        return np.flatnonzero(cell & among & self.usable)

    def name(self, positive: bool, favoured: bool) -> str:
        """Name a cell for a message: ``attractive = 'True' and gender = 'Male'``."""
        outcome = self.positive if positive else self.negative
        group = self.favoured if favoured else self.other
        return f"{self.target} = {outcome!r} and {self.sensitive} = {group!r}"


@dataclass(frozen=True)
class BiasedSplit:
    """Rows to train on and rows to test on; no subject has rows in both.

    Attributes
    ----------
    train : ndarray, int64
        The positive class holds a share `bias` of the favoured group, the negative class of the
        other; both classes have the same size.
    test : ndarray, int64
        The same number of rows of each group in each class.
    seed : int
        What the draw was made with.
    """

    train: Rows
    test: Rows
    seed: int


def check_cells(
    target: Labels,
    sensitive: Labels,
    subjects: npt.NDArray[np.int64],
    positive: str | None,
    favoured: str | None,
) -> Cells:
    """Check the labels and name the four cells.

    Parameters
    ----------
    target, sensitive : Labels
        Two columns with two classes each.
    subjects : ndarray of shape (n,), int64
        Identity codes; -1 is unlabelled.
    positive : str or None
        Advantaged class of the target; the last one in order unless given ("True", "yes", "1").
    favoured : str or None
        Favoured group; the one with more positives among its rows unless given.

    Returns
    -------
    Cells
        With unlabelled rows marked unusable.

    Raises
    ------
    InputError
        If lengths differ, a column has not exactly two classes, a named class does not exist, or
        a cell has too few rows.
    """
    if not len(target) == len(sensitive) == len(subjects):
        raise InputError(
            f"expected one {target.name!r}, one {sensitive.name!r} and one subject a row, found "
            f"{len(target)}, {len(sensitive)} and {len(subjects)}"
        )
    usable = target.labelled & sensitive.labelled & (subjects >= 0)
    outcomes = _two_classes(target.take(usable))
    groups = _two_classes(sensitive.take(usable))
    positive = _known(target.name, positive or outcomes[-1], outcomes)
    is_positive = target.codes == target.classes.index(positive)
    if favoured is None:
        shares = [
            float(is_positive[usable & (sensitive.codes == sensitive.classes.index(group))].mean())
            for group in groups
        ]
        favoured = groups[int(np.argmax(shares))]
    favoured = _known(sensitive.name, favoured, groups)
    cells = Cells(
        target=target.name,
        sensitive=sensitive.name,
        positive=positive,
        negative=outcomes[1 - outcomes.index(positive)],
        favoured=favoured,
        other=groups[1 - groups.index(favoured)],
        is_positive=is_positive,
        is_favoured=sensitive.codes == sensitive.classes.index(favoured),
        usable=usable,
        subjects=subjects,
    )
    _cell_rows(cells, usable, "the table")
    return cells


def _two_classes(labels: Labels) -> list[str]:
    labels.require_two_classes()
    present = [name for name, n in labels.counts().items() if n]
    if len(present) > 2:
        raise InputError(
            f"column {labels.name!r}: expected two classes, found {len(present)} "
            f"({some_of(present)}); keep the rows of two classes, or merge some"
        )
    return present


def _known(column: str, name: str, classes: list[str]) -> str:
    if name not in classes:
        raise InputError(
            f"column {column!r}: no class {name!r}; its classes are {some_of(classes)}"
        )
    return name


def _cell_rows(
    cells: Cells, among: npt.NDArray[np.bool_], where: str
) -> dict[tuple[bool, bool], Rows]:
    rows = {cell: cells.rows(*cell, among) for cell in _CELLS}
    cell, fewest = min(rows.items(), key=lambda item: len(item[1]))
    if len(fewest) < _MIN_CELL:
        raise InputError(
            f"expected at least {_MIN_CELL} rows of each class in each group, found "
            f"{len(fewest)} with {cells.name(*cell)} in {where}; give more such rows"
        )
    return rows


def draw_biased_split(
    cells: Cells, seed: int, *, bias: float = 0.7, test_share: float = 0.3
) -> BiasedSplit:
    """Draw the training set that teaches a bias and the test set that shows it.

    Subjects are divided first; then as many rows as the smallest cell allows are drawn.

    Parameters
    ----------
    cells : Cells
        The checked labels (see `check_cells`).
    seed : int
        Decides the whole draw.
    bias : float, default=0.7
        Share of the favoured group among training positives, and of the other group among
        training negatives; from 0.5 (no bias, a control) to below 1.
    test_share : float, default=0.3
        Share of the subjects that are tested on.

    Returns
    -------
    BiasedSplit
        Row numbers in random order.

    Raises
    ------
    InputError
        If a parameter is out of range, or a cell of either part has too few rows.
    """
    if not 0.5 <= bias < 1:
        raise InputError(f"bias: expected a share of at least 0.5 and below 1, found {bias}")
    if not 0 < test_share < 1:
        raise InputError(f"test_share: expected a share between 0 and 1, found {test_share}")
    rng = np.random.default_rng(seed)
    people = rng.permutation(np.unique(cells.subjects[cells.usable]))
    tested = np.isin(cells.subjects, people[: round(test_share * len(people))])
    train = _cell_rows(cells, ~tested, "the training part")
    test = _cell_rows(cells, tested, "the test part")
    size = min(map(len, test.values()))
    balanced = dict.fromkeys(_CELLS, size)
    return BiasedSplit(
        _draw(rng, train, _biased_counts(train, bias)), _draw(rng, test, balanced), seed
    )


def _biased_counts(
    rows: dict[tuple[bool, bool], Rows], bias: float
) -> dict[tuple[bool, bool], int]:
    # A positive row of the favoured group and a negative row of the other are the frequent cells.
    frequent = min(len(rows[cell]) for cell in _CELLS if cell[0] == cell[1])
    rare = min(len(rows[cell]) for cell in _CELLS if cell[0] != cell[1])
    many = min(frequent, int(rare * bias / (1 - bias) + 1e-9))
    few = max(1, min(rare, round(many * (1 - bias) / bias)))
    return {cell: many if cell[0] == cell[1] else few for cell in _CELLS}


def _draw(
    rng: np.random.Generator,
    rows: dict[tuple[bool, bool], Rows],
    counts: dict[tuple[bool, bool], int],
) -> Rows:
    drawn = [rng.choice(rows[cell], counts[cell], replace=False) for cell in _CELLS]
    return rng.permutation(np.concatenate(drawn))
