"""Fair decisions beside fair representations: who decides is exchanged, the draws are the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, clone

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError
from sensitivenets.fairness.biased_split import BiasedSplit, Cells
from sensitivenets.fairness.fairlearn_decisions import FairReduction, FairThresholds
from sensitivenets.fairness.latent_label import LatentLabel
from sensitivenets.fairness.naive_bayes import ModifiedNaiveBayes, TwoNaiveBayes
from sensitivenets.fairness.opportunity import default_classifier, group_rates
from sensitivenets.fairness.results import Decided, Flags, Predictions
from sensitivenets.fairness.rules import RuleSearch, discriminatory_rules
from sensitivenets.fairness.summary import mean_over_seeds, summarise_rates


@runtime_checkable
class Decision(Protocol):
    """Whoever decides on embeddings; unlike a classifier, it may be told the group.

    Attributes
    ----------
    asks_group : bool
        Whether it must be told the group of the person it decides on, not only of those that it
        learned from.
    """

    asks_group: ClassVar[bool]

    def fit(self, X: FloatArray, positive: Flags, favoured: Flags) -> Self:
        """Learn from rows with their outcomes and groups."""
        ...

    def predict(self, X: FloatArray, favoured: Flags) -> Flags:
        """Decide on rows, of which true is the positive, advantaged outcome."""
        ...


class GroupBlind(BaseEstimator):
    """A classifier that is not told the group: what the fair decisions are compared with.

    Parameters
    ----------
    classifier : scikit-learn classifier, optional
        Cloned; standardisation and an RBF support vector machine unless given.
    """

    asks_group: ClassVar[bool] = False

    def __init__(self, classifier: ClassifierMixin | None = None) -> None:
        self.classifier = classifier

    def fit(self, X: FloatArray, positive: Flags, favoured: Flags) -> Self:
        """Train the classifier; the groups are not looked at."""
        del favoured
        self.classifier_ = clone(self.classifier or default_classifier()).fit(X, positive)
        return self

    def predict(self, X: FloatArray, favoured: Flags) -> Flags:
        """Answer as the classifier does."""
        del favoured
        return np.asarray(self.classifier_.predict(X), dtype=np.bool_)


#: Those that can be asked for by name, with the parameters they have unless told otherwise.
DECISIONS: dict[str, type[Any]] = {
    "group_blind": GroupBlind,
    "modified_naive_bayes": ModifiedNaiveBayes,
    "two_naive_bayes": TwoNaiveBayes,
    "latent_label": LatentLabel,
    "threshold_optimizer": FairThresholds,
    "exponentiated_gradient": FairReduction,
}


def decisions_named(names: Sequence[str]) -> dict[str, Decision]:
    """Make those of `DECISIONS` that are named.

    Raises
    ------
    InputError
        If there is none of a name, or it needs fairlearn, which is not installed.
    """
    found = {}
    for name in names:
        if name not in DECISIONS:
            raise InputError(f"decision: expected one of {', '.join(DECISIONS)}; found {name!r}")
        found[name] = DECISIONS[name]()
        if hasattr(found[name], "require_fairlearn"):
            found[name].require_fairlearn()
    return found


def decide(
    vectors: FloatArray, cells: Cells, split: BiasedSplit, decision: Decision
) -> Predictions:
    """Let one that decides learn from the biased rows and decide on the balanced ones.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        One representation of all rows.
    cells : Cells
        The checked labels (see `check_cells`).
    split : BiasedSplit
        Rows to learn from and to decide on (see `draw_biased_split`).
    decision : Decision
        Cloned, never changed.

    Returns
    -------
    Predictions
        One answer for each test row.
    """
    train, test = split.train, split.test
    fitted = clone(decision).fit(vectors[train], cells.is_positive[train], cells.is_favoured[train])
    return Predictions(
        rows=test,
        expected=cells.is_positive[test],
        predicted=fitted.predict(vectors[test], cells.is_favoured[test]),
        is_favoured=cells.is_favoured[test],
    )


def selection_gap(predictions: Predictions) -> float:
    """Share of the favoured group that is decided positively minus that of the other group.

    Calders and Verwer's discrimination; zero is demographic parity. In [-1, 1].
    """
    favoured = predictions.is_favoured
    chosen: npt.NDArray[np.bool_] = predictions.predicted
    return float(chosen[favoured].mean() - chosen[~favoured].mean())


def summarise_decision(
    name: str,
    representation: str,
    decision: Decision,
    answers: Sequence[Predictions],
    test_share: float,
) -> Decided:
    """Turn the answers of all draws into means over the draws with 95 % intervals.

    Parameters
    ----------
    name, representation : str
        What to call the one that decided, and what it decided on.
    decision : Decision
        It.
    answers : sequence of Predictions
        One a draw, at least two.
    test_share : float
        Share of the subjects that each draw tests on.

    Returns
    -------
    Decided
    """
    return Decided(
        name=name,
        representation=representation,
        asks_group=decision.asks_group,
        rates=summarise_rates([group_rates(one) for one in answers], test_share),
        selection_gap=mean_over_seeds([selection_gap(one) for one in answers], test_share, -1),
    )


def rules_of_answers(
    vectors: FloatArray,
    cells: Cells,
    splits: Sequence[BiasedSplit],
    contexts: Mapping[str, Labels],
    decision: Decision | None = None,
) -> RuleSearch:
    """Find discriminatory rules in what was decided on the test rows of all draws.

    Each row counts once, with the answer of the first draw that tested on it; no answer is by one
    who learned from that subject.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        One representation of all rows.
    cells : Cells
        The checked labels (see `check_cells`).
    splits : sequence of BiasedSplit
        The draws.
    contexts : mapping of str to Labels
        Columns of n rows whose values make contexts.
    decision : Decision, optional
        Who decides; `GroupBlind` unless given.

    Returns
    -------
    RuleSearch
        For the other group, and the negative outcome.
    """
    answers = [decide(vectors, cells, split, decision or GroupBlind()) for split in splits]
    rows, first = np.unique(np.concatenate([one.rows for one in answers]), return_index=True)
    predicted = np.concatenate([one.predicted for one in answers])[first]
    return discriminatory_rules(
        Labels(cells.target, predicted.astype(np.int64), (cells.negative, cells.positive)),
        cells.negative,
        Labels(
            cells.sensitive, cells.is_favoured[rows].astype(np.int64), (cells.other, cells.favoured)
        ),
        cells.other,
        {name: labels.take(rows) for name, labels in contexts.items()},
    )


def compare_decisions(
    representations: Mapping[str, FloatArray],
    cells: Cells,
    splits: Sequence[BiasedSplit],
    decisions: Mapping[str, Decision],
    *,
    test_share: float = 0.3,
) -> tuple[Decided, ...]:
    """Put fair decisions beside fair representations: each decides on each, on the same draws.

    Parameters
    ----------
    representations : mapping of str to ndarray of shape (n, d)
        x, phi(x), ... of the same rows.
    cells : Cells
        The checked labels (see `check_cells`).
    splits : sequence of BiasedSplit
        At least two draws (see `draw_biased_split`), made with `test_share`.
    decisions : mapping of str to Decision
        By name (see `decisions_named`).
    test_share : float, default=0.3
        Share of the subjects that each draw tests on; widens the intervals.

    Returns
    -------
    tuple of Decided
        By representation, then by decision, in the order given.

    Raises
    ------
    InputError
        If there are fewer than two draws.
    """
    if len(splits) < 2:
        raise InputError(f"splits: expected at least two draws, found {len(splits)}")
    return tuple(
        summarise_decision(
            name,
            of,
            decision,
            [decide(vectors, cells, split, decision) for split in splits],
            test_share,
        )
        for of, vectors in representations.items()
        for name, decision in decisions.items()
    )
