"""Fair decisions by fairlearn itself: thresholds of each group, and the reduction."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.fairness.opportunity import default_classifier
from sensitivenets.fairness.results import Flags


class FairlearnDecision(BaseEstimator):
    """Base: fits and asks an estimator of fairlearn, whose answers are partly drawn at random.

    Parameters
    ----------
    random_state : int, default=0
        Decides the random part of the answers, and how rows are divided.
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    @staticmethod
    def require_fairlearn() -> None:
        """Refuse to go on without fairlearn.

        Raises
        ------
        InputError
            If it is not installed.
        """
        if importlib.util.find_spec("fairlearn") is None:
            raise InputError("this decision is fairlearn's: pip install fairlearn")


class FairThresholds(FairlearnDecision):
    """`fairlearn.postprocessing.ThresholdOptimizer`: a threshold for each group, same TPR in both.

    The classifier is trained on half of the rows and the thresholds are found on the others: on the
    rows of its own training a kernel machine is right too often for a threshold to be learned.

    References
    ----------
    Hardt, Price and Srebro, Equality of opportunity in supervised learning, NeurIPS 2016.
    """

    asks_group: ClassVar[bool] = True

    def fit(self, X: FloatArray, positive: Flags, favoured: Flags) -> Self:
        """Train the support vector machine, then find the thresholds."""
        self.require_fairlearn()
        from fairlearn.postprocessing import ThresholdOptimizer

        learn, adjust = train_test_split(
            np.arange(len(X)),
            test_size=0.5,
            stratify=2 * favoured.astype(int) + positive,
            random_state=self.random_state,
        )
        classifier = default_classifier().fit(X[learn], positive[learn])
        self.optimizer_ = ThresholdOptimizer(
            estimator=classifier,
            constraints="true_positive_rate_parity",
            objective="balanced_accuracy_score",
            prefit=True,
            predict_method="decision_function",
        ).fit(X[adjust], positive[adjust].astype(int), sensitive_features=favoured[adjust])
        return self

    def predict(self, X: FloatArray, favoured: Flags) -> Flags:
        """Decide by the threshold of each row's group."""
        answers: Any = self.optimizer_.predict(
            X, sensitive_features=favoured, random_state=self.random_state
        )
        return np.asarray(answers, dtype=np.bool_)


class FairReduction(FairlearnDecision):
    """`fairlearn.reductions.ExponentiatedGradient` with equal true positive rates.

    A random choice among logistic regressions, each trained on rows weighted anew.

    Parameters
    ----------
    classifier : scikit-learn classifier, optional
        What is trained again and again; its last step takes `sample_weight`. Standardisation and
        logistic regression unless given.
    allowed_gap : float, default=0.01
        Difference of true positive rates that is left on the training rows.
    random_state : int, default=0
        Decides the random part of the answers.

    References
    ----------
    Agarwal, Beygelzimer, Dudik, Langford and Wallach, A reductions approach to fair classification,
    ICML 2018.
    """

    asks_group: ClassVar[bool] = False

    def __init__(
        self,
        classifier: ClassifierMixin | None = None,
        allowed_gap: float = 0.01,
        random_state: int = 0,
    ) -> None:
        super().__init__(random_state)
        self.classifier = classifier
        self.allowed_gap = allowed_gap

    def fit(self, X: FloatArray, positive: Flags, favoured: Flags) -> Self:
        """Train the classifiers and the weights of their choice."""
        self.require_fairlearn()
        from fairlearn.reductions import ExponentiatedGradient, TruePositiveRateParity

        classifier = self.classifier or make_pipeline(
            StandardScaler(), LogisticRegression(max_iter=1000)
        )
        last = classifier.steps[-1][0] if hasattr(classifier, "steps") else None
        reduction = ExponentiatedGradient(
            clone(classifier),
            TruePositiveRateParity(difference_bound=self.allowed_gap),
            sample_weight_name="sample_weight" if last is None else f"{last}__sample_weight",
        )
        with warnings.catch_warnings():
            # What fairlearn asks of pandas, and pandas warns of, is not the user's doing.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            self.reduction_ = reduction.fit(X, positive.astype(int), sensitive_features=favoured)
        return self

    def predict(self, X: FloatArray, favoured: Flags) -> Flags:
        """Decide; the group is not asked for."""
        del favoured
        answers: Any = self.reduction_.predict(X, random_state=self.random_state)
        return np.asarray(answers, dtype=np.bool_)
