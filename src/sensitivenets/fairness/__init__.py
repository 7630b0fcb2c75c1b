"""Equality of opportunity: whether biased training data makes a classifier favour one group."""

from sensitivenets.fairness.biased_split import BiasedSplit, Cells, check_cells, draw_biased_split
from sensitivenets.fairness.opportunity import (
    equality_of_opportunity,
    group_rates,
    predict_test_rows,
)
from sensitivenets.fairness.results import (
    ClassifierRates,
    EqualityOfOpportunity,
    OpportunityRun,
    Predictions,
    RateSummary,
)

__all__ = [
    "BiasedSplit",
    "Cells",
    "ClassifierRates",
    "EqualityOfOpportunity",
    "OpportunityRun",
    "Predictions",
    "RateSummary",
    "check_cells",
    "draw_biased_split",
    "equality_of_opportunity",
    "group_rates",
    "predict_test_rows",
]
