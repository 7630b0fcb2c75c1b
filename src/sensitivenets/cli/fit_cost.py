"""A fit that costs much is announced, and what would cost less."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import print_notice

if TYPE_CHECKING:
    from sensitivenets.embeddings import Labels
    from sensitivenets.embeddings.source import TableSource

# Seconds of processor time that nobody needs to be told of.
_LONGEST = 10.0


def announce(
    estimator: Any, source: TableSource, columns: Sequence[str], unlabelled: TableSource | None
) -> None:
    """Say on stderr what a fit to a table that is read will cost, if that is much.

    Parameters
    ----------
    estimator : estimator
        Not fitted; only of transport do costs grow with the cube of the features.
    source : TableSource
        The table: its labels are read, and one row.
    columns : sequence of str
        Attributes to remove.
    unlabelled : TableSource or None
        Rows that stand behind those of the table.
    """
    if not _is_transport(estimator):
        return
    first = next(iter(source.blocks(block_rows=1, stop=1)), None)
    if first is not None:
        n_rows = source.n_rows + (0 if unlabelled is None else unlabelled.n_rows)
        attributes = {name: source.read_codes(name) for name in columns}
        announce_size(estimator, n_rows, first.vectors.shape[1], attributes)


def announce_size(
    estimator: Any, n_rows: int, n_features: int, attributes: Mapping[str, Labels]
) -> None:
    """Say the same of rows in memory.

    Parameters
    ----------
    estimator : estimator
        As above.
    n_rows, n_features : int
        Of all rows.
    attributes : mapping of str to Labels
        Attributes to remove, of rows that are labelled or not.
    """
    from sensitivenets.embeddings.labels import joint
    from sensitivenets.erasers.transport.cost import FitSize

    if not _is_transport(estimator):
        return
    n_groups = len(joint(attributes).classes)
    rank = getattr(estimator, "rank", None)
    size = FitSize(n_rows, n_features, n_groups, estimator.n_rounds, rank)
    for line in size.lines(_LONGEST, advise_rank=hasattr(estimator, "rank")):
        print_notice(f"fit: {line}")


def _is_transport(estimator: Any) -> bool:
    from sensitivenets.erasers.transport.coded_transport import CodedTransport
    from sensitivenets.erasers.transport.routed_transport import RoutedTransport

    return isinstance(estimator, RoutedTransport | CodedTransport)
