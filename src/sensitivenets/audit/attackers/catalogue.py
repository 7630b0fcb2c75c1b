"""The attackers: scikit-learn classifiers, what each looks at, and the parameters it may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sklearn.base import ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from sensitivenets.audit.attackers.gallery import GalleryVote
from sensitivenets.audit.attackers.mlp import MLPAttacker
from sensitivenets.audit.attackers.qda import RegularisedQDA
from sensitivenets.audit.attackers.quadratic import QuadraticClassifier
from sensitivenets.audit.attackers.rbf_svm import RelativeSVC
from sensitivenets.audit.preparations import (
    ALL_PREPARATIONS,
    L2,
    RAW,
    RESIDUE,
    STANDARDISED,
    WHITENED,
)

MAJORITY = "majority class"

_GEOMETRIES = (RAW, L2, STANDARDISED, WHITENED)
# A tree splits single features at a threshold: any increasing change of a feature leaves it alone.
_NOT_SCALES = (L2, STANDARDISED, WHITENED)
# Cosine scores divide the norm out.
_NOT_NORM = (L2, STANDARDISED, WHITENED)


@dataclass(frozen=True)
class Attacker:
    """One family of attackers.

    Attributes
    ----------
    name : str
        As shown in reports.
    candidates : tuple of (dict, classifier)
        Parameters to report and an unfitted scikit-learn classifier; the best on held-out
        identities is taken.
    preparations : tuple of str
        What it is shown; a preparation that changes nothing for it is left out.
    sees_coordinates : bool
        Whether it looks at single features. If not, it gets the rows in a basis of their rank,
        which changes nothing for it but the time.
    corrects_prior : bool
        Whether its scores are log posteriors under the training shares of the classes, to be
        corrected to equal shares, as balanced accuracy asks.
    n_seeds : int
        Fits with different seeds whose scores are averaged.
    max_rows : int
        Training rows it can take; of more, a random part is used, and noted.
    cost : float
        Rough seconds, to start the longest first.
    """

    name: str
    candidates: tuple[tuple[dict[str, Any], ClassifierMixin], ...]
    preparations: tuple[str, ...] = _GEOMETRIES
    sees_coordinates: bool = False
    corrects_prior: bool = False
    n_seeds: int = 1
    max_rows: int = 50_000
    cost: float = 1.0


def logistic_regression() -> Attacker:
    """Linear attacker with an l2 penalty."""
    candidates = tuple(
        ({"C": C}, LogisticRegression(C=C, max_iter=1000, class_weight="balanced"))
        for C in (0.003, 0.03, 1.0, 30.0)
    )
    return Attacker("logistic regression", candidates, ALL_PREPARATIONS, cost=2)


def rbf_svm() -> Attacker:
    """Support vector machine with a Gaussian kernel."""
    candidates = tuple(
        ({"gamma_factor": g, "C": C}, RelativeSVC(gamma_factor=g, C=C))
        for g, C in ((0.5, 4.0), (1.0, 1.0), (1.0, 4.0), (2.0, 4.0))
    )
    return Attacker("RBF-SVM", candidates, max_rows=15_000, cost=20)


def regularised_qda() -> Attacker:
    """Gaussian classes, each with its own covariance (see `RegularisedQDA`)."""
    candidates = tuple(
        ({"pooled": pooled, "round": round_}, RegularisedQDA(pooled, round_))
        for pooled, round_ in ((0.0, 0.03), (0.0, 0.2), (0.0, 0.5), (0.4, 0.2), (0.8, 0.2))
    )
    return Attacker("regularised QDA", candidates)


def quadratic() -> Attacker:
    """Products of features and of directions (see `QuadraticClassifier`)."""
    candidates = tuple(
        ({"n_directions": m, "C": C}, QuadraticClassifier(n_directions=m, C=C))
        for m, C in ((12, 0.01), (32, 0.003), (32, 0.03))
    )
    return Attacker(
        "quadratic", candidates, (STANDARDISED, WHITENED, RESIDUE), sees_coordinates=True, cost=6
    )


def mlp(n_seeds: int = 3, name: str = "MLP") -> Attacker:
    """Neural network of one or two hidden layers, `n_seeds` of them averaged."""
    candidates = tuple(
        ({"hidden": list(hidden), "epochs": epochs}, MLPAttacker(hidden, epochs))
        for hidden, epochs in (((256,), 6), ((256,), 15), ((128, 128), 10))
    )
    return Attacker(name, candidates, corrects_prior=True, n_seeds=n_seeds, cost=9)


def histogram_gradient_boosting() -> Attacker:
    """Boosted trees on binned features."""
    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.15,
        max_leaf_nodes=15,
        max_bins=63,
        early_stopping=False,
    )
    return Attacker(
        "histogram gradient boosting",
        (({"max_iter": 60, "max_leaf_nodes": 15}, trees),),
        _NOT_SCALES,
        sees_coordinates=True,
        corrects_prior=True,
        cost=5,
    )


def random_forest(name: str = "random forest") -> Attacker:
    """Bagged trees."""
    trees = RandomForestClassifier(100, min_samples_leaf=5, max_samples=0.3)
    return Attacker(
        name,
        (({"n_estimators": 100, "min_samples_leaf": 5}, trees),),
        _NOT_SCALES,
        sees_coordinates=True,
        corrects_prior=True,
        cost=3,
    )


def nearest_neighbours() -> Attacker:
    """Vote of the nearest training rows."""
    candidates = tuple(({"k": k}, KNeighborsClassifier(k)) for k in (1, 5, 25, 75))
    return Attacker("nearest neighbours", candidates, corrects_prior=True, cost=2)


def gallery_vote() -> Attacker:
    """Comparison scores with a small labelled gallery (see `GalleryVote`)."""
    candidates = tuple(({"votes": k, "per_class": 150}, GalleryVote(150, k)) for k in (1, 9, 49))
    return Attacker("gallery vote", candidates, _NOT_NORM, n_seeds=3)


def full_battery() -> tuple[Attacker, ...]:
    """Every attacker of the audit; the majority class and the committee come on top."""
    return (
        logistic_regression(),
        rbf_svm(),
        regularised_qda(),
        quadratic(),
        mlp(),
        histogram_gradient_boosting(),
        random_forest(),
        nearest_neighbours(),
        gallery_vote(),
    )


def table_i_attackers() -> tuple[Attacker, ...]:
    """Return the three of Table I, on standardised embeddings: NN, SVM and RF."""
    three = (mlp(1, "NN"), replace(rbf_svm(), name="SVM"), random_forest("RF"))
    return tuple(replace(attacker, preparations=(STANDARDISED,)) for attacker in three)


def control_attackers() -> tuple[Attacker, ...]:
    """Attackers that take a second, for the controls: linear, quadratic, near and tree-like."""
    linear, qda = logistic_regression(), regularised_qda()
    return (
        replace(linear, preparations=(STANDARDISED, WHITENED)),
        replace(qda, preparations=(WHITENED,)),
        replace(quadratic(), preparations=(WHITENED,)),
        replace(nearest_neighbours(), preparations=(STANDARDISED,)),
        replace(gallery_vote(), preparations=(L2, RAW)),
    )


def from_estimators(estimators: Mapping[str, ClassifierMixin]) -> tuple[Attacker, ...]:
    """Make attackers of a user's classifiers: every preparation, their own parameters.

    Parameters
    ----------
    estimators : mapping of str to scikit-learn classifier
        Unfitted; cloned before use.

    Returns
    -------
    tuple of Attacker
        One for each name.
    """
    return tuple(
        Attacker(name, (({}, estimator),), sees_coordinates=True, cost=15)
        for name, estimator in estimators.items()
    )
