"""Results of the equality-of-opportunity experiment: rates of one run, and over the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.fairness.rules import RuleSearch
from sensitivenets.intervals import Estimate
from sensitivenets.serialisation import decode_fields

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Predictions:
    """What a classifier said about the balanced test rows; ready for any fairness library.

    Attributes
    ----------
    rows : ndarray of shape (m,), int64
        Row numbers in the table.
    expected, predicted : ndarray of shape (m,), bool
        True is the positive, advantaged class.
    is_favoured : ndarray of shape (m,), bool
        True is the favoured group.
    """

    rows: npt.NDArray[np.int64]
    expected: Flags
    predicted: Flags
    is_favoured: Flags


@dataclass(frozen=True)
class ClassifierRates:
    """Rates of one classifier on one test set, all in [0, 1] but the signed gap in [-1, 1].

    Attributes
    ----------
    accuracy : float
        Share of right answers; higher is better, 0.5 is chance on the balanced test set.
    tpr_favoured, tpr_other : float
        True positive rate: share of the positive rows of a group that are recognised as such.
    gap : float
        ``tpr_favoured - tpr_other``; zero is equality of opportunity, a negative gap favours the
        other group. (Table III prints 6.8 where its own rates, 81.4 and 87.5, give -6.1.)
    """

    accuracy: float
    tpr_favoured: float
    tpr_other: float
    gap: float


@dataclass(frozen=True)
class OpportunityRun:
    """One draw of the training and test set.

    Attributes
    ----------
    seed : int
        What the draw was made with.
    n_train, n_test : int
        Rows trained and tested on.
    before : ClassifierRates
        Trained and tested on x.
    after : ClassifierRates or None
        Trained and tested on phi(x), on the same rows.
    """

    seed: int
    n_train: int
    n_test: int
    before: ClassifierRates
    after: ClassifierRates | None


@dataclass(frozen=True)
class RateSummary:
    """`ClassifierRates` over the seeds; `absolute_gap` is the mean of gaps without their sign."""

    accuracy: Estimate
    tpr_favoured: Estimate
    tpr_other: Estimate
    gap: Estimate
    absolute_gap: Estimate


@dataclass(frozen=True)
class Decided:
    """How one that decides fared on one representation, over all draws.

    Attributes
    ----------
    name : str
        Who decides, such as ``"two_naive_bayes"``.
    representation : str
        On what: ``"before"`` is x, ``"after"`` is phi(x).
    asks_group : bool
        Whether it must be told the group of the person it decides on.
    rates : RateSummary
        Means over the seeds.
    selection_gap : Estimate
        Share of the favoured group that is decided positively minus that of the other group; zero
        is demographic parity.
    """

    name: str
    representation: str
    asks_group: bool
    rates: RateSummary
    selection_gap: Estimate


@dataclass(frozen=True)
class EqualityOfOpportunity:
    """How unequally a classifier trained on biased data recognises the positives of two groups.

    Attributes
    ----------
    target, positive : str
        The task and its advantaged class.
    sensitive, favoured, other : str
        The attribute, the group that the training set favours, and the other one.
    bias : float
        Share of the favoured group among training positives.
    before : RateSummary
        On x; every estimate is a mean over the seeds.
    after : RateSummary or None
        On phi(x); None where only one representation was given.
    absolute_gap_reduction : Estimate or None
        Absolute gap before minus after, paired by seed; above zero means fairer.
    runs : tuple of OpportunityRun
        The single draws.
    dropped : int
        Rows left out because target, attribute or subject is unlabelled.
    notes : tuple of str
        What forbids reading the gap at face value, such as a classifier at chance.
    decisions : tuple of Decided
        Fair decisions on the same draws, where they were asked for.
    rules : dict of str to RuleSearch
        By representation: contexts in which the other group is denied more often, where they were
        asked for.
    """

    target: str
    positive: str
    sensitive: str
    favoured: str
    other: str
    bias: float
    before: RateSummary
    after: RateSummary | None
    absolute_gap_reduction: Estimate | None
    runs: tuple[OpportunityRun, ...]
    dropped: int
    notes: tuple[str, ...]
    decisions: tuple[Decided, ...] = ()
    rules: dict[str, RuleSearch] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values, nested as the attributes are."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> EqualityOfOpportunity:
        """Rebuild from what `to_dict` returned, or from the JSON of it.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type; the message says which.
        """
        asked_for: dict[str, Any] = {"decisions": [], "rules": {}}
        result = decode_fields(asked_for | dict(data), cls, "fairness")
        assert isinstance(result, cls)
        return result
