"""Equality of opportunity: whether biased training data makes a classifier favour one group."""

from sensitivenets.fairness.biased_split import BiasedSplit, Cells, check_cells, draw_biased_split
from sensitivenets.fairness.decisions import (
    DECISIONS,
    Decision,
    compare_decisions,
    decisions_named,
    rules_of_answers,
)
from sensitivenets.fairness.opportunity import (
    equality_of_opportunity,
    group_rates,
    predict_test_rows,
)
from sensitivenets.fairness.results import (
    ClassifierRates,
    Decided,
    EqualityOfOpportunity,
    OpportunityRun,
    Predictions,
    RateSummary,
)
from sensitivenets.fairness.rules import DiscriminatoryRule, RuleSearch, discriminatory_rules
from sensitivenets.fairness.scores import ScoreComparison, compare_scores

__all__ = [
    "DECISIONS",
    "BiasedSplit",
    "Cells",
    "ClassifierRates",
    "Decided",
    "Decision",
    "DiscriminatoryRule",
    "EqualityOfOpportunity",
    "OpportunityRun",
    "Predictions",
    "RateSummary",
    "RuleSearch",
    "ScoreComparison",
    "check_cells",
    "compare_decisions",
    "compare_scores",
    "decisions_named",
    "discriminatory_rules",
    "draw_biased_split",
    "equality_of_opportunity",
    "group_rates",
    "predict_test_rows",
    "rules_of_answers",
]
