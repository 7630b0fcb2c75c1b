"""Decision trees, boosted on binned features or bagged.

A tree splits single features at a threshold: any increasing change of a feature leaves it alone, so
raw rows equal standardised ones.
"""

from __future__ import annotations

from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.preparations import L2, STANDARDISED, WHITENED

_NOT_SCALES = (L2, STANDARDISED, WHITENED)
_BOOSTING = "histogram gradient boosting"


def histogram_gradient_boosting() -> Attacker:
    """Boosted trees on binned features, for classes."""
    trees = HistGradientBoostingClassifier(
        max_iter=60,
        learning_rate=0.15,
        max_leaf_nodes=15,
        max_bins=63,
        early_stopping=False,
    )
    return Attacker(
        _BOOSTING,
        (({"max_iter": 60, "max_leaf_nodes": 15}, trees),),
        _NOT_SCALES,
        sees_coordinates=True,
        corrects_prior=True,
        cost=5,
    )


def boosted_regression() -> Attacker:
    """Boosted trees on binned features, for numbers."""
    trees = HistGradientBoostingRegressor(max_iter=80, max_leaf_nodes=15, early_stopping=False)
    return Attacker(
        _BOOSTING,
        (({"max_iter": 80, "max_leaf_nodes": 15}, trees),),
        (STANDARDISED, WHITENED),
        sees_coordinates=True,
        cost=4,
    )


def random_forest(name: str = "random forest") -> Attacker:
    """Bagged trees, for classes."""
    trees = RandomForestClassifier(100, min_samples_leaf=5, max_samples=0.3)
    return Attacker(
        name,
        (({"n_estimators": 100, "min_samples_leaf": 5}, trees),),
        _NOT_SCALES,
        sees_coordinates=True,
        corrects_prior=True,
        cost=3,
    )
