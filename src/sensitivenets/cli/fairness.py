"""``sensitivenets fairness``: equality of opportunity under biased training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sensitivenets.cli.audit_inputs import read_tables
from sensitivenets.cli.output import percent, print_json, print_line, print_table
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.cli.audit_inputs import Tables
    from sensitivenets.fairness import Decision, EqualityOfOpportunity, RuleSearch
    from sensitivenets.fairness.results import RateSummary
    from sensitivenets.intervals import Estimate

# Rules of a side; all of them are in --json.
_SHOWN = 8


def fairness(
    before: str,
    after: str | None = None,
    /,
    *,
    target: str,
    attribute: Annotated[str, Parameter(alias="--sensitive")],
    identity: str,
    positive: str | None = None,
    favoured: str | None = None,
    bias: float = 0.7,
    n_seeds: int = 5,
    decision: list[str] | None = None,
    context: list[str] | None = None,
    embedding: str = "embedding",
    json: bool = False,
) -> None:
    """Measure whether a classifier trained on biased data favours a group, before and after a map.

    Parameters
    ----------
    before
        Embeddings with their labels: .parquet, .npz, or .npy beside .csv.
    after
        The same rows after a map, whoever made it.
    target
        Column of the label to predict, with two classes.
    attribute
        Column of the attribute to protect, with two classes.
    identity
        Column that says who a row shows; nobody is in both training and test set.
    positive
        Advantaged class of the target; its last class in order unless given.
    favoured
        Group that the training set favours; the one with more positives unless given.
    bias
        Share of the favoured group among the training positives; 0.5 is unbiased.
    n_seeds
        Draws of training and test set, at least two.
    decision
        Fair decisions to put beside, on the same draws: group_blind, modified_naive_bayes,
        two_naive_bayes, latent_label, threshold_optimizer or exponentiated_gradient (fairlearn's),
        or all; give the option once for each.
    context
        Column whose values are contexts: find where the other group is denied more often than
        everybody there; give the option once for each.
    embedding
        Name of the embedding column.
    json
        Write the result as JSON.
    """
    from sensitivenets.audit import progress_bar
    from sensitivenets.fairness import DECISIONS, decisions_named, equality_of_opportunity

    if n_seeds < 2:
        raise InputError(f"--n-seeds: expected at least 2, found {n_seeds}")
    chosen = decisions_named([*DECISIONS] if decision == ["all"] else decision or [])
    columns = list(dict.fromkeys([target, attribute, *(context or [])]))
    tables = read_tables(before, after, identity, columns, embedding)
    with progress_bar("fairness") as progress:
        result = equality_of_opportunity(
            tables.before.vectors,
            None if tables.after is None else tables.after.vectors,
            tables.before.labels(target),
            tables.before.labels(attribute),
            tables.before.identities(identity).codes,
            seeds=range(n_seeds),
            positive=positive,
            favoured=favoured,
            bias=bias,
            progress=progress,
        )
    if chosen or context:
        result = _with_decisions(result, tables, identity, chosen, context or [])
    if json:
        print_json(result.to_dict())
    else:
        _print_result(result)


def _with_decisions(
    result: EqualityOfOpportunity,
    tables: Tables,
    identity: str,
    decisions: Mapping[str, Decision],
    contexts: Sequence[str],
) -> EqualityOfOpportunity:
    """Add what others decide on the same draws, and the rules in what the classifier decides."""
    from sensitivenets.fairness import (
        check_cells,
        compare_decisions,
        draw_biased_split,
        rules_of_answers,
    )

    table = tables.before
    cells = check_cells(
        table.labels(result.target),
        table.labels(result.sensitive),
        table.labels(identity).codes,
        result.positive,
        result.favoured,
    )
    splits = [draw_biased_split(cells, run.seed, bias=result.bias) for run in result.runs]
    sides = {"before": table.vectors}
    if tables.after is not None:
        sides["after"] = tables.after.vectors
    columns = {name: table.labels(name) for name in contexts}
    rules = {
        side: rules_of_answers(vectors, cells, splits, columns)
        for side, vectors in sides.items()
        if columns
    }
    return replace(
        result, decisions=compare_decisions(sides, cells, splits, decisions), rules=rules
    )


def _print_result(result: EqualityOfOpportunity) -> None:
    print_line(
        f"{result.target} = {result.positive}; {100 * result.bias:.0f} % of the training positives "
        f"and {100 * (1 - result.bias):.0f} % of the negatives are {result.favoured}; "
        f"{len(result.runs)} draws"
    )
    sides = {"before": result.before} | ({} if result.after is None else {"after": result.after})
    header = ["", *(f"{side} (95 % interval)" for side in sides)]
    print_table(header, [[name, *map(_estimate, row)] for name, *row in _rows(result, sides)])
    if result.absolute_gap_reduction is not None:
        print_line(f"Absolute gap before minus after: {_estimate(result.absolute_gap_reduction)}")
    for note in result.notes:
        print_line(note)
    if result.decisions:
        print_line()
        print_table(
            ["decision", "on", "told", "accuracy", "gap", "chosen more"],
            [
                [
                    *(one.name, one.representation, "yes" if one.asks_group else "no"),
                    *map(_estimate, (one.rates.accuracy, one.rates.gap, one.selection_gap)),
                ]
                for one in result.decisions
            ],
        )
        print_line(
            f"told: whether it must be told the group; chosen more: {result.favoured} minus "
            f"{result.other}, zero is demographic parity"
        )
    for side, search in result.rules.items():
        _print_rules(side, search)


def _print_rules(side: str, search: RuleSearch) -> None:
    """Show the contexts in which a group is surely denied more often, the worst first."""
    found = search.certain()
    print_line()
    print_line(
        f"{side}: {len(found)} of {len(search.rules)} contexts in which {search.group} meets "
        f"{search.decision} more often than everybody there"
    )
    print_table(
        ["context", "rows", "group", "everybody", "extended lift (95 %, all contexts)"],
        [
            [
                " and ".join(rule.context) or "everybody",
                *(str(rule.n_group), percent(rule.confidence), percent(rule.base_confidence)),
                f"{rule.extended_lift:.2f} [{rule.low:.2f}, {rule.high:.2f}]",
            ]
            for rule in found[:_SHOWN]
        ],
    )


def _rows(
    result: EqualityOfOpportunity, sides: dict[str, RateSummary]
) -> list[tuple[str, *tuple[Estimate, ...]]]:
    summaries = sides.values()
    return [
        ("accuracy", *(s.accuracy for s in summaries)),
        (f"TPR {result.favoured}", *(s.tpr_favoured for s in summaries)),
        (f"TPR {result.other}", *(s.tpr_other for s in summaries)),
        (f"gap {result.favoured} - {result.other}", *(s.gap for s in summaries)),
        ("absolute gap", *(s.absolute_gap for s in summaries)),
    ]


def _estimate(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.1f} % [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
