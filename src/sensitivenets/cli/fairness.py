"""``sensitivenets fairness``: equality of opportunity under biased training data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.cli.audit_inputs import read_tables
from sensitivenets.cli.output import print_json, print_line, print_table
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.fairness import EqualityOfOpportunity
    from sensitivenets.fairness.results import RateSummary
    from sensitivenets.intervals import Estimate


def fairness(
    before: str,
    after: str | None = None,
    /,
    *,
    target: str,
    sensitive: str,
    identity: str,
    positive: str | None = None,
    favoured: str | None = None,
    bias: float = 0.7,
    n_seeds: int = 5,
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
    sensitive
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
    embedding
        Name of the embedding column.
    json
        Write the result as JSON.
    """
    from sensitivenets.audit import progress_bar
    from sensitivenets.fairness import equality_of_opportunity

    if n_seeds < 2:
        raise InputError(f"--n-seeds: expected at least 2, found {n_seeds}")
    tables = read_tables(before, after, identity, [target, sensitive], embedding)
    with progress_bar("fairness") as progress:
        result = equality_of_opportunity(
            tables.before.vectors,
            None if tables.after is None else tables.after.vectors,
            tables.before.labels(target),
            tables.before.labels(sensitive),
            tables.before.labels(identity).codes,
            seeds=range(n_seeds),
            positive=positive,
            favoured=favoured,
            bias=bias,
            progress=progress,
        )
    if json:
        print_json(result.to_dict())
    else:
        _print_result(result)


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
