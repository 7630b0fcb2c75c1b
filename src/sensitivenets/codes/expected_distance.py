"""How many bits of two universal codes differ, given how far apart the embeddings are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float64Array = npt.NDArray[np.float64]

# Terms of the series: at u = 0.5 the next one, k = 19, is below 1e-19.
_ODD = np.arange(1, 18, 2)
_NEAR = 0.5


def expected_hamming(distance: npt.ArrayLike, scale: float) -> Float64Array:
    """Give the probability that a bit differs, as a function of the Euclidean distance.

    With u = s |x - x'|,

        p = 1/2 - 4/pi^2 * sum over odd k of exp(-k^2 u^2 / 2) / k^2,

    which starts as the line sqrt(2/pi) u / pi and is flat at 1/2 beyond u of about 2.5. The share
    of n bits that differ has this mean and, over keys, the standard deviation sqrt(p (1 - p) / n).

    Parameters
    ----------
    distance : array-like
        Euclidean distances of l2-normalised embeddings, in [0, 2].
    scale : float
        s of the code.

    Returns
    -------
    ndarray, float64
        In [0, 1/2); larger is further.

    References
    ----------
    Boufounos and Rane (2011), theorem on the expected Hamming distance, with sigma = 1 and
    Delta = pi / s.

    Examples
    --------
    >>> expected_hamming([0.0, 0.5, 2.0], scale=1.5).round(3).tolist()
    [0.0, 0.19, 0.495]
    """
    u = scale * np.asarray(distance, dtype=np.float64)
    # Below u = 0.5 a phase difference beyond pi, which bends the line, is a matter of 6 sigma.
    near = np.sqrt(2 / np.pi) * u / np.pi
    terms = np.exp(-0.5 * np.square(np.multiply.outer(u, _ODD))) / _ODD**2
    far = 0.5 - 4 / np.pi**2 * terms.sum(axis=-1)
    expected: Float64Array = np.where(u < _NEAR, near, far)
    return expected


def distance_of_cosine(cosine: npt.ArrayLike) -> Float64Array:
    """Give the Euclidean distance of two unit vectors with this cosine: sqrt(2 - 2 cos)."""
    clipped = np.clip(np.asarray(cosine, dtype=np.float64), -1, 1)
    return np.asarray(np.sqrt(2 - 2 * clipped), dtype=np.float64)
