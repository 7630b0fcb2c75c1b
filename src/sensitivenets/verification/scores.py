"""Scores of pairs: the cosine similarity of two embeddings. Higher means more alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray, check_vectors
from sensitivenets.embeddings.rows import BLOCK_ROWS, normalise_rows, row_blocks
from sensitivenets.verification.pairs import Pairs

Float64Array = npt.NDArray[np.float64]


def cosine_scores(
    vectors: FloatArray, pairs: Pairs, *, block_pairs: int = BLOCK_ROWS
) -> Float64Array:
    """Compare the two embeddings of each pair.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        Embeddings of any length; only their direction counts.
    pairs : Pairs
        Rows to compare.
    block_pairs : int, default=4096
        Pairs whose embeddings are held at once.

    Returns
    -------
    ndarray of shape (len(pairs),), float64
        Cosine similarities in [-1, 1]; higher is more alike.

    Raises
    ------
    InputError
        If an embedding is zero or not finite, or a pair names a row that is not there.
    """
    check_vectors(vectors, "embeddings")
    pairs.require_rows(len(vectors))
    scores = np.empty(len(pairs), dtype=np.float64)
    for block in row_blocks(len(pairs), block_pairs):
        left = vectors[pairs.left[block]].astype(np.float64)
        right = vectors[pairs.right[block]].astype(np.float64)
        normalise_rows(left)
        normalise_rows(right)
        np.einsum("ij,ij->i", left, right, out=scores[block])
    return np.clip(scores, -1, 1, out=scores)


def squared_distances(scores: Float64Array) -> Float64Array:
    """Squared Euclidean distances of unit vectors with these cosines: 2 - 2 cos, in [0, 4]."""
    return 2 - 2 * scores
