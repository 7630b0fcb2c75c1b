"""What an attacker who takes classes for Gaussian can ever read, however many labels it is given.

Two Gaussians with the divergence J = KL + KL' are told apart at about Phi(sqrt(J) / 2). J found in
n rows is too large, by what it is for classes drawn at random from the same rows; that is taken
off. Moments that a map made equal on m rows differ on new rows by an error of the order of 1 / m,
so J falls as m grows: how many times more rows bring it to 55 % follows. It states a model: a
better attacker than a Gaussian one may read more.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np

from sensitivenets.audit.preparations import PCAWhitening
from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray, Labels

_SHUFFLES = 8
# Fewer rows of a class than this many times the features leave nothing but noise.
_FEWEST = 2.0
_AIM = 0.55


@dataclass(frozen=True)
class MomentCertificate:
    """What a Gaussian attacker with unlimited labels reads of two classes, the mean over pairs.

    Attributes
    ----------
    divergence : float
        J in nats, the noise taken off; can be negative by luck.
    noise : float
        J of classes drawn at random, which was taken off.
    deviation : float
        Standard deviation of that.
    accuracy, high : float
        Phi(sqrt(J) / 2), and the same two deviations higher; in [0.5, 1].
    more_rows : float
        How many times more rows, for the moments of the map, would bring `accuracy` to 55 %; 1 if
        it is there.
    n : int
        Rows of the smallest class.
    """

    divergence: float
    noise: float
    deviation: float
    accuracy: float
    high: float
    more_rows: float
    n: int


def moment_certificate(
    X: FloatArray, labels: Labels, identities: IntArray, random_state: int = 0
) -> MomentCertificate | None:
    """Measure how far apart the moments of the classes are, and what that lets anybody read.

    Parameters
    ----------
    X : ndarray of shape (n, k)
        The table.
    labels : Labels
        The attribute; unlabelled rows are left out.
    identities : ndarray of shape (n,)
        Who each row shows; labels are drawn anew for people, not for rows.
    random_state : int, default=0
        The seed.

    Returns
    -------
    MomentCertificate or None
        None if a class has fewer rows than twice the features, or the table is constant.
    """
    rows = np.flatnonzero(labels.codes >= 0)
    codes, people = np.unique(labels.codes[rows], return_inverse=True)[1], identities[rows]
    whitening = PCAWhitening.fit(X[rows])
    n = int(np.bincount(codes).min())
    if whitening.matrix.shape[1] == 0 or n < _FEWEST * whitening.matrix.shape[1]:
        return None
    white = whitening(X[rows]).astype(np.float64)
    rng = np.random.default_rng(random_state)
    drawn = np.array([_divergence(white, _redrawn(codes, people, rng)) for _ in range(_SHUFFLES)])
    noise, deviation = float(drawn.mean()), float(drawn.std(ddof=1))
    divergence = _divergence(white, codes) - noise
    enough = 4 * NormalDist().inv_cdf(_AIM) ** 2
    return MomentCertificate(
        divergence=divergence,
        noise=noise,
        deviation=deviation,
        accuracy=accuracy_of(divergence),
        high=accuracy_of(divergence + 2 * deviation),
        more_rows=max(divergence / enough, 1.0),
        n=n,
    )


def accuracy_of(divergence: float) -> float:
    """Balanced accuracy of the best attacker of two Gaussians that far apart, in [0.5, 1]."""
    return NormalDist().cdf(np.sqrt(max(divergence, 0.0)) / 2)


def _redrawn(codes: IntArray, people: IntArray, rng: np.random.Generator) -> IntArray:
    """Give people the labels of others; rows, where labels differ within people."""
    _, first, index = np.unique(people, return_index=True, return_inverse=True)
    if not np.array_equal(codes[first][index], codes):
        return rng.permutation(codes)
    return np.asarray(rng.permutation(codes[first])[index])


def _divergence(white: FloatArray, codes: IntArray) -> float:
    """KL both ways between two Gaussian classes, the mean over pairs."""
    classes = [white[codes == label] for label in np.unique(codes)]
    means = [rows.mean(axis=0) for rows in classes]
    covariances = [np.cov(rows.T, ddof=1).reshape(white.shape[1], -1) for rows in classes]
    inverses = [np.linalg.pinv(covariance) for covariance in covariances]
    found = []
    for a, b in combinations(range(len(classes)), 2):
        apart = means[a] - means[b]
        spread = np.sum(inverses[a] * covariances[b]) + np.sum(inverses[b] * covariances[a])
        shift = apart @ (inverses[a] + inverses[b]) @ apart
        found.append(0.5 * (spread - 2 * white.shape[1] + shift))
    return float(np.mean(found))
