"""A bound on any attacker of an output with few values: first bits of a code, clusters, buckets.

Of k cells that were fixed before, the best rule says for each cell the class that is commonest in
it, classes weighed equally: B = 1/K sum over cells of max over classes of p(cell | class). With the
shares found in n rows in place of p this is too large on average, since a maximum is convex; and a
person whose rows are the share w of a class moves it by no more than w / K. So (McDiarmid 1989)

    B <= found + sqrt(ln(1 / alpha) / 2 * sum over people of (w / K)^2)

holds with probability 1 - alpha for all k cells together, and for every attacker of any power.
Beside it stands what a matcher can do with the same k cells: many people then share one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.rows import near_rows

#: The bound fails in one of twenty audits.
ALPHA = 0.05
_BITS = (1, 2, 4, 6, 8, 10)
# Rows that place the cells, and are counted nowhere.
_PLACING_SHARE = 0.25
_MOST_PLACING = 5000


@dataclass(frozen=True)
class FiniteBound:
    """What any attacker reads from an output with so many values.

    Attributes
    ----------
    output : str
        ``"first bits"`` of a code, ``"clusters"``, or ``"buckets"`` of random hyperplanes.
    n_cells : int
        Values it has.
    bound : float
        Balanced accuracy that no attacker passes, in [0, 1], in 95 of 100 audits.
    found : float
        What the best rule reaches on these very rows: too large, by chance.
    chance : float
        A guess.
    false_match_rate : float
        Share of pairs of two people that share a cell.
    false_non_match_rate : float or None
        Share of pairs of one person that do not; None where nobody has two rows.
    n : int
        Rows counted.
    """

    output: str
    n_cells: int
    bound: float
    found: float
    chance: float
    false_match_rate: float
    false_non_match_rate: float | None
    n: int


def finite_outputs(
    X: FloatArray, labels: Labels, identities: IntArray, random_state: int = 0
) -> tuple[FiniteBound, ...]:
    """Bound what any attacker reads from coarse outputs of a table, cell by cell finer.

    Parameters
    ----------
    X : ndarray of shape (n, k)
        The table.
    labels : Labels
        The attribute; unlabelled rows are left out.
    identities : ndarray of shape (n,)
        Who each row shows.
    random_state : int, default=0
        The seed.

    Returns
    -------
    tuple of FiniteBound
        Of the first bits where every feature has two values, else of clusters and of buckets; by
        number of cells.
    """
    rng = np.random.default_rng(random_state)
    placing, counted = _parted(labels, identities, rng)
    cells: dict[tuple[str, int], IntArray] = {}
    bits = _bits_of(X)
    if bits is not None:
        cells |= {("first bits", 2**b): _numbers(bits[counted, :b]) for b in _BITS}
    else:
        placed, rows = X[placing], X[counted]
        placed = placed[near_rows(placed, len(placed))]
        directions = rng.standard_normal((X.shape[1], _BITS[-1]))
        signs = (rows - placed.mean(axis=0)) @ directions > 0
        for b in _BITS:
            if 2**b <= len(placed) // 4:
                clusters = MiniBatchKMeans(2**b, n_init=1, random_state=random_state).fit(placed)
                cells["clusters", 2**b] = clusters.predict(rows)
            cells["buckets", 2**b] = _numbers(signs[:, :b])
    codes, people = labels.codes[counted], identities[counted]
    return tuple(
        bound_of(own, codes, people, n_cells, output) for (output, n_cells), own in cells.items()
    )


def bound_of(
    cells: IntArray, codes: IntArray, people: IntArray, n_cells: int, output: str
) -> FiniteBound:
    """Bound what any attacker reads from the cells of some rows.

    Parameters
    ----------
    cells : ndarray of shape (n,)
        Cell of each row, below `n_cells`; placed without these rows.
    codes : ndarray of shape (n,)
        Class of each row, 0 to K - 1, each present.
    people : ndarray of shape (n,)
        Who it shows.
    n_cells : int
        Values the output has.
    output : str
        Its name.

    Returns
    -------
    FiniteBound
        See there.
    """
    classes, index = np.unique(codes, return_inverse=True)
    k = len(classes)
    counts = np.zeros((k, n_cells))
    np.add.at(counts, (index, cells), 1)
    found = float((counts / counts.sum(axis=1, keepdims=True)).max(axis=0).sum() / k)
    weights = 1 / (k * counts.sum(axis=1))
    _, person = np.unique(people, return_inverse=True)
    moves = np.bincount(person, weights=weights[index])
    slack = float(np.sqrt(np.log(1 / ALPHA) / 2 * np.sum(moves**2)))
    same_cell = _pairs(cells)
    same_person = _pairs(person)
    both = _pairs(person * n_cells + cells)
    all_pairs = len(cells) * (len(cells) - 1) / 2
    return FiniteBound(
        output=output,
        n_cells=n_cells,
        bound=min(found + slack, 1.0),
        found=found,
        chance=1 / k,
        false_match_rate=(same_cell - both) / max(all_pairs - same_person, 1),
        false_non_match_rate=1 - both / same_person if same_person else None,
        n=len(cells),
    )


def _parted(
    labels: Labels, identities: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Rows of some people, to place cells by, and labelled rows of the others."""
    people = rng.permutation(np.unique(identities))
    placing = np.isin(identities, people[: max(round(_PLACING_SHARE * len(people)), 1)])
    return np.flatnonzero(placing)[:_MOST_PLACING], np.flatnonzero(~placing & (labels.codes >= 0))


def _bits_of(X: FloatArray) -> FloatArray | None:
    """Which value each feature takes, if none takes more than two."""
    lowest, highest = (np.equal(X, end) for end in (X.min(axis=0), X.max(axis=0)))
    return highest if np.all(lowest | highest) else None


def _numbers(bits: FloatArray) -> IntArray:
    return np.asarray(bits.astype(np.int64) @ (1 << np.arange(bits.shape[1])))


def _pairs(groups: IntArray) -> float:
    """Pairs of rows of one group."""
    counts = np.unique(groups, return_counts=True)[1].astype(np.float64)
    return float(np.sum(counts * (counts - 1)) / 2)
