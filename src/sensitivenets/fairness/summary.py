"""From single runs to means over the seeds, with intervals that know the splits overlap."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sensitivenets.fairness.biased_split import Cells
from sensitivenets.fairness.results import (
    ClassifierRates,
    EqualityOfOpportunity,
    OpportunityRun,
    RateSummary,
)
from sensitivenets.intervals import Estimate, student_t_interval


def summarise(
    cells: Cells, bias: float, test_share: float, runs: tuple[OpportunityRun, ...]
) -> EqualityOfOpportunity:
    """Join the runs of all seeds into means with intervals."""
    before = [run.before for run in runs]
    after = [run.after for run in runs if run.after is not None]
    summaries = {"before": summarise_rates(before, test_share)}
    reduction = None
    if after:
        summaries["after"] = summarise_rates(after, test_share)
        paired = [abs(x.gap) - abs(phi.gap) for x, phi in zip(before, after, strict=True)]
        reduction = mean_over_seeds(paired, test_share, lowest=-1)
    return EqualityOfOpportunity(
        target=cells.target,
        positive=cells.positive,
        sensitive=cells.sensitive,
        favoured=cells.favoured,
        other=cells.other,
        bias=bias,
        before=summaries["before"],
        after=summaries.get("after"),
        absolute_gap_reduction=reduction,
        runs=runs,
        dropped=int((~cells.usable).sum()),
        notes=tuple(note for name, s in summaries.items() for note in _notes(name, s)),
    )


def summarise_rates(rates: list[ClassifierRates], test_share: float) -> RateSummary:
    """Average the rates of one classifier over its draws (see `mean_over_seeds`)."""

    def over_seeds(value: Callable[[ClassifierRates], float], lowest: float = 0) -> Estimate:
        return mean_over_seeds([value(rate) for rate in rates], test_share, lowest)

    return RateSummary(
        accuracy=over_seeds(lambda rate: rate.accuracy),
        tpr_favoured=over_seeds(lambda rate: rate.tpr_favoured),
        tpr_other=over_seeds(lambda rate: rate.tpr_other),
        gap=over_seeds(lambda rate: rate.gap, lowest=-1),
        absolute_gap=over_seeds(lambda rate: abs(rate.gap)),
    )


def _notes(name: str, summary: RateSummary) -> list[str]:
    if summary.accuracy.low <= 0.5:
        return [
            f"{name}: the classifier is not better than chance "
            f"(accuracy {summary.accuracy}); its gap says nothing about fairness"
        ]
    return []


def mean_over_seeds(values: Sequence[float], test_share: float, lowest: float = 0) -> Estimate:
    """Mean of one number over repeated random splits, with the corrected 95 % t-interval.

    Splits of one table overlap, so the plain standard error is too small; the variance is
    scaled by ``1/k + test/train`` instead of ``1/k``.

    Parameters
    ----------
    values : sequence of k floats
        One a seed; k is at least 2.
    test_share : float
        Share of the subjects that each split tests on.
    lowest : float, default=0
        Smallest value the number can take; the largest is 1. The interval is cut there.

    Returns
    -------
    Estimate
        With ``n`` = k.

    References
    ----------
    Nadeau and Bengio, Inference for the generalization error, Machine Learning 52, 2003.
    """
    k = len(values)
    mean = float(np.mean(values))
    variance = float(np.var(values, ddof=1)) * (1 / k + test_share / (1 - test_share))
    return Estimate(mean, *student_t_interval(mean, variance**0.5, k, lowest), k)
