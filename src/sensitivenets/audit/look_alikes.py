"""The same person on both sides of a split, looked for where identities are not known."""

from __future__ import annotations

import numpy as np

from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows

_TRAIN_ROWS, _TEST_ROWS = 10_000, 1_500
# Of people photographed once each, one or two in a hundred are as near as that to another.
_MANY = 0.03
# Squared length of the mean of unit rows: about the mean cosine of two of them.
_CENTRED = 0.1


def look_alikes_across(split: Split, X: FloatArray, seed: int = 0) -> str:
    """Say how many test rows have a training row that is too near to be of another person.

    The cosine that none of so many pairs of different people should pass is the mean of all cosines
    and sqrt(2 ln(pairs)) deviations, the largest of as many draws from a Gaussian. On faces that is
    where two photographs of one person begin.

    Parameters
    ----------
    split : Split
        Who trains and who is attacked.
    X : ndarray of shape (n, d)
        Embeddings before the map.
    seed : int, default=0
        Decides which rows are looked at where there are many.

    Returns
    -------
    str
        A warning for people; empty unless more than 3 % of the test rows are that near.
    """
    rng = np.random.default_rng(seed)
    train = _unit(X[rng.permutation(split.train)[:_TRAIN_ROWS]])
    test = _unit(X[rng.permutation(split.test)[:_TEST_ROWS]])
    # Of embeddings that all point one way the differences tell.
    mean = train.mean(axis=0)
    is_centred = bool(mean @ mean < _CENTRED)
    if not is_centred:
        train, test = _unit(train - mean), _unit(test - mean)
    cosines = test @ train.T
    deviations = np.sqrt(2 * np.log(cosines.size))
    limit = float(cosines.mean(dtype=np.float64) + deviations * cosines.std(dtype=np.float64))
    share = float(np.mean(cosines.max(axis=1) > limit))
    if limit >= 1 or share <= _MANY:
        return ""
    remedy = f", or leave such rows out with apart {limit:.2f}" if is_centred else ""
    return (
        f"{100 * share:.0f} % of the test rows have a training row at a cosine above {limit:.2f}, "
        "probably the same person: attackers that recognise them need not read the attribute; "
        f"give the identity{remedy}"
    )


def _unit(rows: FloatArray) -> FloatArray:
    taken = np.array(rows, dtype=np.float32)
    normalise_rows(taken)
    return taken
