"""Whether the columns that were named as attributes have groups, or are something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable, Labels
    from sensitivenets.embeddings.source import TableSource

# An attribute has no more groups than this, unless each has rows enough to have a mean.
_GROUPS = 20
_ROWS_OF_A_GROUP = 20


def require_groups(table: EmbeddingTable, names: Sequence[str], option: str) -> None:
    """Ask about columns whose values are too many to be groups of people.

    Parameters
    ----------
    table : EmbeddingTable
        That has the columns.
    names : sequence of str
        As given on the command line.
    option : str
        With which they were given, for the message.

    Raises
    ------
    InputError
        If there is no such column, if it holds more than twenty different numbers, or if it holds
        more than twenty texts with fewer than twenty rows each on average.
    """
    for name in names:
        _require_few(table.labels(name), table.column(name).type, table.source, option)


def require_groups_of(source: TableSource, names: Sequence[str], option: str) -> None:
    """Do what `require_groups` does, and what `EmbeddingTable.attributes` does, block by block.

    Raises
    ------
    InputError
        As they do.
    """
    from sensitivenets.embeddings.label_doubts import require_distinct_classes

    for name in names:
        labels = source.read_codes(name)
        _require_few(labels, source.labels.field(name).type, source.name, option)
        require_distinct_classes(labels.require_two_classes())


def _require_few(labels: Labels, kind: Any, source: str, option: str) -> None:
    import pyarrow.types as kinds

    name, n_values = labels.name, len(labels.classes)
    n_rows = int(labels.labelled.sum())
    if n_values <= _GROUPS:
        return
    what = f"{source}: {option} {name}: expected a few groups, found {n_values} different"
    if kinds.is_integer(kind) or kinds.is_floating(kind):
        raise InputError(
            f"{what} numbers; is it a number, such as an age? `audit --continuous {name}` "
            f"attacks it as one, and `fit --continuous {name}` removes it (as does "
            "`protect`; write codes of groups as text)"
        )
    if n_rows < _ROWS_OF_A_GROUP * n_values:
        raise InputError(
            f"{what} values in {n_rows} rows; is it an identity? Name it with --identity "
            f"{name}, and an attribute that many rows share with {option}"
        )
