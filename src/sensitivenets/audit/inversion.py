"""The inversion attack: whoever knows the map trains a network to undo it.

The network learns from rows made up for the purpose (mixtures of known embeddings, pushed through
the map), so it may have as many as it likes. What it recovers is then attacked as any table.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from threadpoolctl import threadpool_limits

from sensitivenets.audit.preparations import PCAWhitening
from sensitivenets.audit.results import Inversion
from sensitivenets.audit.tasks import seed_of
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import near_rows
from sensitivenets.errors import InputError

Phi = Callable[[FloatArray], FloatArray]

#: What an audit calls it that had no time for it.
INVERSION = "inversion by a network"

_HIDDEN = 512
_CHUNK = 8192
_FIRST_ROWS = 20_000
# Floating point operations to spend: about a minute of one core. Not seconds, so that the same
# seed gives the same result on any machine.
_BUDGET = 1.2e12
_FEWEST, _MOST = 5, 50


@dataclass(frozen=True)
class Recovered:
    """What the inversion attack gives to the battery.

    Attributes
    ----------
    vectors : ndarray of shape (n, d), float32
        The recovered embeddings of all rows, training rows first.
    summary : Inversion
        How well it went.
    """

    vectors: FloatArray
    summary: Inversion


def invert(phi: Phi, X: FloatArray, n_train: int, seed: int) -> Recovered:
    """Train a ridge regression and a network to undo a map; recover every row from its image.

    Parameters
    ----------
    phi : callable
        Maps (n, d) to (n, k), such as the `map` of a loaded model.
    X : ndarray of shape (n, d)
        The embeddings before the map, training rows first. The adversary knows the training rows;
        of the test rows it has the images only.
    n_train : int
        Training rows.
    seed : int
        Decides everything.

    Returns
    -------
    Recovered
        Of a constant image, the mean of the training rows.

    Raises
    ------
    InputError
        If the map does not give one finite row for each row.
    """
    rng = np.random.default_rng(seed_of(seed, "inversion"))
    rows = np.asarray(X, dtype=np.float32)
    with threadpool_limits(1):
        near = near_rows(rows, n_train)
        train = np.flatnonzero(near[:n_train])
        known = _Known.of(rows[train])
        images = push(phi, rows)
        inverter = _Inverter.learn(phi, known, images[train], rng)
        recovered = known.unscale(inverter(images))
    test = n_train + np.flatnonzero(near[n_train:])
    return Recovered(recovered, _summary(inverter, rows[test], recovered[test], known.mean))


def push(phi: Phi, rows: FloatArray) -> FloatArray:
    """Apply a map to rows, and check what comes back.

    Raises
    ------
    InputError
        If it is not one finite row for each row.
    """
    images = np.asarray(phi(rows))
    if images.ndim != 2 or len(images) != len(rows) or not np.isfinite(images).all():
        raise InputError(
            f"map: expected one finite row for each of {len(rows)} embeddings, found an array of "
            f"shape {images.shape}; give the map of the model that made the second table"
        )
    return images


@dataclass(frozen=True)
class _Known:
    """The embeddings that the adversary has, and their scales."""

    rows: FloatArray
    mean: FloatArray
    deviation: float

    @classmethod
    def of(cls, rows: FloatArray) -> _Known:
        return cls(rows, rows.mean(axis=0), max(float(rows.std(axis=0).mean()), 1e-12))

    def scale(self, rows: FloatArray) -> FloatArray:
        return np.asarray((rows - self.mean) / self.deviation, dtype=np.float32)

    def unscale(self, values: FloatArray) -> FloatArray:
        return np.asarray(values * self.deviation + self.mean, dtype=np.float32)

    def made_up(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Mixtures of two known rows and a little noise, with norms as known rows have them."""
        left, right = rng.integers(len(self.rows), size=(2, n))
        share = rng.random((n, 1), dtype=np.float32)
        noise = rng.standard_normal((n, self.rows.shape[1]), dtype=np.float32)
        mixed = share * self.rows[left] + (1 - share) * self.rows[right]
        mixed += 0.5 * self.deviation * rng.random((n, 1), dtype=np.float32) * noise
        norms = np.linalg.norm(self.rows[left], axis=1, keepdims=True)
        own = np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
        return np.asarray(mixed * (norms / own), dtype=np.float32)


@dataclass(frozen=True)
class _Inverter:
    """A ridge regression on whitened images, and a network for what it leaves."""

    whitening: PCAWhitening
    ridge: Ridge | None
    network: MLPRegressor | None
    n_fit: int

    @classmethod
    def learn(
        cls, phi: Phi, known: _Known, images: FloatArray, rng: np.random.Generator
    ) -> _Inverter:
        first = known.made_up(_FIRST_ROWS, rng)
        pushed = push(phi, first)
        whitening = PCAWhitening.fit(pushed)
        if whitening.matrix.shape[1] == 0:
            return cls(whitening, None, None, 0)
        ridge = Ridge(1.0).fit(whitening(pushed), known.scale(first))
        network, n_fit = _train_network(phi, known, whitening, ridge, rng)
        linear = cls(whitening, ridge, None, _FIRST_ROWS)
        both = cls(whitening, ridge, network, n_fit)
        truth = known.scale(known.rows)
        errors = [np.mean((inverter(images) - truth) ** 2) for inverter in (linear, both)]
        return both if errors[1] < errors[0] else linear

    def __call__(self, images: FloatArray) -> FloatArray:
        seen = self.whitening(images)
        if self.ridge is None:
            return np.zeros((len(images), 1), dtype=np.float32)
        recovered = self.ridge.predict(seen)
        if self.network is not None:
            recovered = recovered + self.network.predict(seen)
        return np.asarray(recovered, dtype=np.float32)

    @property
    def name(self) -> str:
        if self.ridge is None:
            return "none: the image is constant"
        if self.network is None:
            return "ridge regression"
        return f"ridge regression and network of 2 x {_HIDDEN} units"


def _train_network(
    phi: Phi, known: _Known, whitening: PCAWhitening, ridge: Ridge, rng: np.random.Generator
) -> tuple[MLPRegressor, int]:
    n_in, n_out = whitening.matrix.shape[1], known.rows.shape[1]
    weights = _HIDDEN * (n_in + _HIDDEN + n_out)
    n_chunks = int(np.clip(_BUDGET / (6 * weights * _CHUNK), _FEWEST, _MOST))
    network = MLPRegressor(
        hidden_layer_sizes=(_HIDDEN, _HIDDEN),
        batch_size=256,
        random_state=int(rng.integers(2**31)),
        alpha=0.0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n_chunks):
            rows = known.made_up(_CHUNK, rng)
            seen = whitening(push(phi, rows))
            left = known.scale(rows) - ridge.predict(seen)
            network.partial_fit(seen, np.asarray(left, dtype=np.float32))
    return network, n_chunks * _CHUNK


def _summary(
    inverter: _Inverter, truth: FloatArray, guess: FloatArray, mean: FloatArray
) -> Inversion:
    return Inversion(
        inverter=inverter.name,
        cosine=_mean_cosine(truth, guess),
        chance_cosine=_mean_cosine(truth, np.broadcast_to(mean, truth.shape)),
        r2=1 - float(np.sum((truth - guess) ** 2) / max(np.sum((truth - mean) ** 2), 1e-30)),
        n_fit=inverter.n_fit,
        n_test=len(truth),
    )


def _mean_cosine(a: FloatArray, b: FloatArray) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean(np.sum(a * b, axis=1) / np.maximum(lengths, 1e-12)))
