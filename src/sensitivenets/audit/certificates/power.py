"""What an audit of these rows could have missed: the smallest leak it finds 95 times of 100.

"Nothing was found" means what a search is worth. So leaks of known size are planted in the very
rows, under labels drawn at random: a shift along a random direction, a spread that differs along
one, and labels that agree among near rows. The attacker made for each kind looks for it, and must
pass the bound that noise sets to a whole battery.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans

from sensitivenets.audit.attackers.linear_quadratic import RegularisedQDA
from sensitivenets.audit.attackers.local_votes import NearestRows
from sensitivenets.audit.metrics import balanced_accuracy
from sensitivenets.audit.preparations import PCAWhitening
from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray

#: What the best attacker of a plant reads: the sizes that are tried.
SIZES = (0.52, 0.54, 0.57, 0.61, 0.66, 0.75, 0.9)
_REPEATS = 5
_FOUND = 0.95
# Attackers and preparations of a battery, each as good a chance for noise.
_ATTACKERS = 40
_LUCK = 0.01
# Near rows of one label, in a cluster of this many.
_NEAR = 12
_MOST_ROWS = 10_000

Plant = Callable[[FloatArray, IntArray, float, np.random.Generator], tuple[FloatArray, IntArray]]


@dataclass(frozen=True)
class Power:
    """The smallest planted leak of a kind that is found.

    Attributes
    ----------
    kind : str
        Where the leak lies: ``"a random direction"``, ``"the spread along a direction"`` or
        ``"labels of near rows"``.
    smallest : float or None
        Balanced accuracy of an attacker who knows the plant, of the smallest one that is found 95
        times of 100; None if not even 90 % is.
    read : float or None
        What the attacker, who does not know it, reads of that.
    noise_bound : float
        What it must pass.
    n_train, n_test : int
        Rows, of two classes of equal size.
    """

    kind: str
    smallest: float | None
    read: float | None
    noise_bound: float
    n_train: int
    n_test: int


def audit_power(
    X: FloatArray, n_train: int, n_test_people: int, random_state: int = 0
) -> tuple[Power, ...]:
    """Plant leaks of growing size, and see from which on they are found.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        The table: training rows, then test rows.
    n_train : int
        Training rows.
    n_test_people : int
        People among the test rows: what noise depends on.
    random_state : int, default=0
        The seed.

    Returns
    -------
    tuple of Power
        One a kind; empty if the table is constant.
    """
    whitening = PCAWhitening.fit(X[:n_train])
    if whitening.matrix.shape[1] == 0:
        return ()
    white = whitening(X).astype(np.float64)
    train = np.arange(n_train)[-_MOST_ROWS:]
    test = np.arange(n_train, len(X))
    planted_in = white[np.concatenate([train, test])]
    level = NormalDist().inv_cdf(1 - _LUCK / _ATTACKERS)
    bound = 0.5 + level * 0.5 / np.sqrt(max(n_test_people, 1))
    kinds: dict[str, tuple[Plant, Callable[[], Any]]] = {
        "a random direction": (_shift, lambda: RegularisedQDA(1.0, 0.03)),
        "the spread along a direction": (_spread, lambda: RegularisedQDA(0.0, 0.03)),
        "labels of near rows": (
            _Near.of(planted_in, random_state),
            lambda: NearestRows(_NEAR // 2),
        ),
    }
    found = []
    for number, (kind, (plant, attacker)) in enumerate(kinds.items()):
        rng = np.random.default_rng([random_state, number])
        smallest = read = None
        for size in SIZES:
            rates = [
                _read(attacker(), planted_in, len(train), plant, size, rng) for _ in range(_REPEATS)
            ]
            deviation = max(float(np.std(rates, ddof=1)), 0.5 / np.sqrt(len(test)))
            mean = float(np.mean(rates))
            if NormalDist(mean, deviation).cdf(bound) <= 1 - _FOUND:
                smallest, read = size, mean
                break
        found.append(Power(kind, smallest, read, float(bound), len(train), len(test)))
    return tuple(found)


def _read(
    attacker: Any,
    rows: FloatArray,
    n_train: int,
    plant: Plant,
    size: float,
    rng: np.random.Generator,
) -> float:
    planted, y = plant(rows, rng.permutation(np.arange(len(rows)) % 2), size, rng)
    attacker.fit(planted[:n_train], y[:n_train])
    return balanced_accuracy(y[n_train:], attacker.predict(planted[n_train:]))


def _direction(d: int, rng: np.random.Generator) -> FloatArray:
    direction = rng.standard_normal(d)
    return np.asarray(direction / np.linalg.norm(direction))


def _shift(
    rows: FloatArray, y: IntArray, size: float, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Move the classes apart so far that who knows the direction reads `size`."""
    step = NormalDist().inv_cdf(size) * (2 * y - 1)
    return rows + step[:, None] * _direction(rows.shape[1], rng), y


def _spread(
    rows: FloatArray, y: IntArray, size: float, rng: np.random.Generator
) -> tuple[FloatArray, IntArray]:
    """Widen one class along a direction so much that who knows it reads `size`."""
    direction = _direction(rows.shape[1], rng)
    along = rows @ direction
    wider = np.where(y == 1, _ratio_of(size), 1.0)
    return rows + ((wider - 1) * along)[:, None] * direction, y


def _ratio_of(size: float) -> float:
    """Ratio of two deviations of Gaussians of equal mean that are told apart at `size`."""
    ratios = np.geomspace(1.0001, 200, 4000)
    # They are equally likely at this distance from the mean, in deviations of the narrow one.
    equal = np.sqrt(2 * np.log(ratios) * ratios**2 / (ratios**2 - 1))
    cdf = np.vectorize(NormalDist().cdf)
    reads = 0.5 + cdf(equal) - cdf(equal / ratios)
    return float(np.interp(size, reads, ratios))


@dataclass(frozen=True)
class _Near:
    """Label each small cluster alike, but for so many rows that who knows it reads `size`."""

    clusters: IntArray

    @classmethod
    def of(cls, rows: FloatArray, seed: int) -> _Near:
        n_clusters = max(len(rows) // _NEAR, 2)
        clusters = MiniBatchKMeans(n_clusters, n_init=1, max_iter=5, random_state=seed)
        return cls(clusters.fit_predict(rows))

    def __call__(
        self, rows: FloatArray, y: IntArray, size: float, rng: np.random.Generator
    ) -> tuple[FloatArray, IntArray]:
        sides = rng.permutation(np.arange(self.clusters.max() + 1) % 2)[self.clusters]
        labels = np.where(rng.random(len(rows)) < size, sides, 1 - sides)
        return rows, labels if len(np.unique(labels)) == 2 else y
