"""Section 4.4 and Table III of the paper: true positive rates of two groups, on x and on phi(x)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassifierMixin, clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.embeddings import FloatArray, Labels, check_vectors
from sensitivenets.errors import InputError
from sensitivenets.fairness.biased_split import BiasedSplit, Cells, check_cells, draw_biased_split
from sensitivenets.fairness.results import (
    ClassifierRates,
    EqualityOfOpportunity,
    OpportunityRun,
    Predictions,
)
from sensitivenets.fairness.summary import summarise
from sensitivenets.progress import Progress, Steps


def equality_of_opportunity(
    before: FloatArray,
    after: FloatArray | None,
    target: Labels,
    sensitive: Labels,
    subjects: npt.NDArray[np.int64],
    *,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    positive: str | None = None,
    favoured: str | None = None,
    bias: float = 0.7,
    test_share: float = 0.3,
    classifier: ClassifierMixin | None = None,
    progress: Progress | None = None,
) -> EqualityOfOpportunity:
    """Measure the equality-of-opportunity gap that a biased training set causes.

    For each seed a training set is drawn in which the positive class is 70 % favoured group and
    30 % other, and the negative class the opposite, and a test set in which all four cells have
    one size; no subject is in both. A classifier that can see the group learns to use it.

    Parameters
    ----------
    before : ndarray of shape (n, d)
        Embeddings x.
    after : ndarray of shape (n, k) or None
        Embeddings phi(x) of the same rows in the same order.
    target, sensitive : Labels
        Two columns of n rows with two classes each; unlabelled rows are dropped and counted.
    subjects : ndarray of shape (n,), int64
        Identity codes; rows with -1 are dropped and counted.
    seeds : sequence of int, default=(0, 1, 2, 3, 4)
        One draw each; at least two, or there is no interval.
    positive : str, optional
        Advantaged class of the target; the last one in order unless given ("True", "yes", "1").
    favoured : str, optional
        Favoured group; the one with more positives among its rows unless given.
    bias : float, default=0.7
        Share of the favoured group among training positives; 0.5 is an unbiased control.
    test_share : float, default=0.3
        Share of the subjects that are tested on.
    classifier : scikit-learn classifier, optional
        Cloned for each fit; standardisation and an RBF support vector machine unless given.
    progress : callable, optional
        Told of each fit: fits done, fits in total, what was just done.

    Returns
    -------
    EqualityOfOpportunity
        Means over the seeds with 95 % intervals, and the single runs.

    Raises
    ------
    InputError
        If the tables do not match, a column has not two classes, or a cell has too few rows.

    References
    ----------
    Hardt, Price and Srebro, Equality of opportunity in supervised learning, NeurIPS 2016.
    """
    cells = check_cells(target, sensitive, subjects, positive, favoured)
    _check_representations(before, after, len(target))
    if len(set(seeds)) < 2:
        raise InputError(f"seeds: expected at least two different ones, found {tuple(seeds)}")
    model = classifier if classifier is not None else default_classifier()

    steps = Steps(len(seeds) * (1 if after is None else 2), progress)

    def rates(vectors: FloatArray, split: BiasedSplit) -> ClassifierRates:
        measured = group_rates(predict_test_rows(vectors, cells, split, model))
        steps.advance(f"{target.name}, seed {split.seed}")
        return measured

    runs = []
    for seed in seeds:
        split = draw_biased_split(cells, seed, bias=bias, test_share=test_share)
        after_rates = None if after is None else rates(after, split)
        before_rates = rates(before, split)
        runs.append(
            OpportunityRun(seed, len(split.train), len(split.test), before_rates, after_rates)
        )
    return summarise(cells, bias, test_share, tuple(runs))


def default_classifier() -> ClassifierMixin:
    """Return the paper's classifier: a support vector machine on standardised features."""
    return make_pipeline(StandardScaler(), SVC())


def _check_representations(before: FloatArray, after: FloatArray | None, n: int) -> None:
    for name, vectors in (("before", before), ("after", after)):
        if vectors is None:
            continue
        check_vectors(vectors, name)
        if len(vectors) != n:
            raise InputError(
                f"{name}: expected {n} embeddings, one for each label, found {len(vectors)}; "
                "give both tables the same rows in the same order"
            )


def predict_test_rows(
    vectors: FloatArray, cells: Cells, split: BiasedSplit, classifier: ClassifierMixin
) -> Predictions:
    """Train on the biased rows, answer the balanced ones.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        One representation of all rows.
    cells : Cells
        The checked labels (see `check_cells`).
    split : BiasedSplit
        Rows to train and to test on (see `draw_biased_split`).
    classifier : scikit-learn classifier
        Cloned, never changed.

    Returns
    -------
    Predictions
        One answer for each test row.
    """
    fitted = clone(classifier).fit(vectors[split.train], cells.is_positive[split.train])
    return Predictions(
        rows=split.test,
        expected=cells.is_positive[split.test],
        predicted=np.asarray(fitted.predict(vectors[split.test]), dtype=np.bool_),
        is_favoured=cells.is_favoured[split.test],
    )


def group_rates(predictions: Predictions) -> ClassifierRates:
    """Count accuracy and the true positive rate of each group.

    Raises
    ------
    InputError
        If a group has no positive row, so that its rate is not defined.
    """
    rates = []
    for is_favoured, group in ((True, "favoured"), (False, "other")):
        positives = predictions.expected & (predictions.is_favoured == is_favoured)
        if not positives.any():
            raise InputError(
                f"expected positive rows of both groups, found none of the {group} one; "
                "test on rows of both"
            )
        rates.append(float(predictions.predicted[positives].mean()))
    accuracy = float((predictions.predicted == predictions.expected).mean())
    return ClassifierRates(accuracy, rates[0], rates[1], rates[0] - rates[1])
