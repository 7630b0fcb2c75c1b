"""Linear attackers: logistic regression of classes, ridge regression of numbers."""

from __future__ import annotations

from sklearn.linear_model import LogisticRegression, Ridge

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.preparations import ALL_PREPARATIONS, STANDARDISED, WHITENED


def logistic_regression() -> Attacker:
    """Linear attacker of classes with an l2 penalty."""
    candidates = tuple(
        ({"C": C}, LogisticRegression(C=C, max_iter=1000, class_weight="balanced"))
        for C in (0.003, 0.03, 1.0, 30.0)
    )
    return Attacker("logistic regression", candidates, ALL_PREPARATIONS, cost=2)


def ridge_regression() -> Attacker:
    """Linear attacker of numbers with an l2 penalty."""
    candidates = tuple(({"alpha": alpha}, Ridge(alpha)) for alpha in (10.0, 100.0, 1000.0))
    return Attacker("ridge regression", candidates, (STANDARDISED, WHITENED))
