"""Which rows to look at first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating]


def doubt(labels: IntArray, probabilities: FloatArray) -> FloatArray:
    """Probability that the label at hand is wrong.

    One measure for both kinds of row: a label of the table that the classifier finds unlikely
    (likely wrong), and a proposal that it is not sure of (least certain).

    Parameters
    ----------
    labels : ndarray of shape (n,)
        The label of each row, or -1.
    probabilities : ndarray of shape (n, n_classes)
        Calibrated; out of fold where the row carries a label.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1]; 1 where there is no label.
    """
    rows = np.arange(len(labels))
    return np.where(labels >= 0, 1 - probabilities[rows, np.maximum(labels, 0)], 1.0)


def most_doubtful_first(doubts: FloatArray, candidates: BoolArray) -> IntArray:
    """Sort the candidates, the most doubtful first; ties stay in the order of the table."""
    rows = np.flatnonzero(candidates)
    return rows[np.argsort(-doubts[rows], kind="stable")]
