"""Two tables of the same rows, and who of them trains the attackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensitivenets.cli.selection import column_value, read_rows
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit import Split
    from sensitivenets.embeddings import EmbeddingTable, Labels


@dataclass(frozen=True)
class Tables:
    """The tables of an audit.

    Attributes
    ----------
    before : EmbeddingTable
        The first table, with the labels.
    after : EmbeddingTable or None
        The same rows after the map.
    subject : Labels or None
        Identity of each row, where it is known.
    """

    before: EmbeddingTable
    after: EmbeddingTable | None
    subject: Labels | None


def read_tables(
    before: str, after: str | None, identity: str | None, labels: Sequence[str], embedding: str
) -> Tables:
    """Read one or two tables.

    Raises
    ------
    InputError
        If a table cannot be read, lacks a column, or the two are not of the same rows.
    """
    from sensitivenets.embeddings.same_rows import require_same_rows

    table = read_rows(before, [], embedding)
    subject = None if identity is None else table.labels(identity)
    for name in labels:
        table.column(name)
    if after is None:
        return Tables(table, None, subject)
    mapped = read_rows(after, [], embedding)
    require_same_rows(table, mapped, [*labels, *([identity] if identity else [])])
    return Tables(table, mapped, subject)


def split_of(tables: Tables, train: str | None, test: str | None, random_state: int) -> Split:
    """Decide who trains the attackers and who is attacked.

    Raises
    ------
    InputError
        If only one side is named, the two name different columns, or an identity is on both.
    """
    from sensitivenets.audit import split_by_column, split_by_identity, split_rows

    if train is None and test is None:
        if tables.subject is None:
            return split_rows(len(tables.before), seed=random_state)
        return split_by_identity(tables.subject, seed=random_state)
    if train is None or test is None:
        raise InputError("expected --train and --test together, such as --train split=train")
    (column, train_value), (other, test_value) = (
        column_value(train, "--train"),
        column_value(test, "--test"),
    )
    if column != other:
        raise InputError(
            f"--test: expected the column {column!r} as in --train, found {other!r}; add a column "
            "that tells both"
        )
    return split_by_column(tables.before.labels(column), train_value, test_value, tables.subject)
