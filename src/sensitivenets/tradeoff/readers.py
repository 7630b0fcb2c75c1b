"""Quick readers of either sign say how much of an attribute rows show."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.erasers.moments.group import Int64

_FOLDS = 3
# Directions in which a discriminant analysis of a few hundred rows has covariances.
_DIRECTIONS = 15


def strongest_reading(X: FloatArray, labels: Labels, subjects: Int64, seed: int) -> float:
    """Say how much of an attribute the strongest of five readers gets right, or wrong.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    labels : Labels
        Their classes; unlabelled rows are left out.
    subjects : ndarray of shape (n,), int64
        Whom each row shows: nobody is read by a reader that learned from them.
    seed : int
        Decides the three parts, each of which is read by readers of the two others.

    Returns
    -------
    float
        Balanced accuracy over all rows, in (0, 1]. Of k classes, a reader who is right less often
        than by chance is as good, turned: (1 - accuracy) / (k - 1).
    """
    known = np.flatnonzero(labels.labelled)
    y, k = labels.codes[known], len(labels.classes)
    folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed)
    read = [
        balanced_accuracy_score(
            y, cross_val_predict(reader, X[known], y, groups=subjects[known], cv=folds)
        )
        for reader in _readers(min(_DIRECTIONS, X.shape[1]), seed)
    ]
    return float(max(max(one, (1 - one) / (k - 1)) for one in read))


def _readers(n_directions: int, seed: int) -> tuple[ClassifierMixin, ...]:
    return (
        make_pipeline(
            StandardScaler(), LogisticRegression(C=0.01, max_iter=500, class_weight="balanced")
        ),
        make_pipeline(StandardScaler(), SVC(C=2, class_weight="balanced")),
        make_pipeline(PCA(whiten=True), SVC(C=2, class_weight="balanced")),
        KNeighborsClassifier(15),
        make_pipeline(
            # Of many features scikit-learn draws where to look for the largest directions.
            PCA(n_directions, whiten=True, random_state=seed),
            QuadraticDiscriminantAnalysis(reg_param=0.5),
        ),
    )
