"""Keep one person off both sides of an attack where nobody says who is who."""

from __future__ import annotations

import numpy as np

from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.parameter_checks import require_real
from sensitivenets.projection import normalise_rows

# Test rows compared at once: 40 MiB of float32 against 10 000 training rows.
_BLOCK_ROWS = 1024


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
    for start in range(0, len(test), _BLOCK_ROWS):
        np.maximum(nearest, (train @ test[start : start + _BLOCK_ROWS].T).max(axis=1), out=nearest)
    kept = split.train[nearest < cosine]
    if not len(kept):
        raise InputError(
            f"cosine: expected some training rows below {cosine:g} to every test row, found none: "
            f"the nearest row of each is at {nearest.min():.2f} or more; give a larger cosine"
        )
    return Split(kept, split.test, split.groups)
