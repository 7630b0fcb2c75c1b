"""What an audit is given: two tables of the same rows, a split, and what it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sensitivenets.cli.output import print_notice
from sensitivenets.cli.selection import column_value, read_rows
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit import Split
    from sensitivenets.embeddings import EmbeddingTable, FloatArray, Labels


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
    before: Path, after: Path | None, identity: str | None, labels: Sequence[str], embedding: str
) -> Tables:
    """Read one or two tables.

    Raises
    ------
    InputError
        If a table cannot be read, lacks a column, or the two are not of the same rows.
    """
    table = read_rows(before, [], embedding)
    subject = None if identity is None else table.labels(identity)
    for name in labels:
        table.column(name)
    if after is None:
        return Tables(table, None, subject)
    mapped = read_rows(after, [], embedding)
    _require_same_rows(table, mapped, [*labels, *([identity] if identity else [])])
    return Tables(table, mapped, subject)


def _require_same_rows(
    before: EmbeddingTable, after: EmbeddingTable, labels: Sequence[str]
) -> None:
    remedy = "give the same rows in the same order"
    if len(before) != len(after):
        raise InputError(
            f"{after.source}: expected {len(before)} rows as in {before.source}, found "
            f"{len(after)}; {remedy}"
        )
    for name in labels:
        if name not in after.columns.column_names:
            continue
        ours, theirs = before.column(name).to_pylist(), after.column(name).to_pylist()
        for row, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            # A NaN differs from itself; both count as no label.
            if one != other and not (one != one and other != other):
                raise InputError(
                    f"{after.source}, row {row}: {name!r} is {other!r}, but {one!r} in "
                    f"{before.source}; {remedy}"
                )


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


def set_apart(split: Split, X: FloatArray, cosine: float | None) -> tuple[Split, tuple[str, ...]]:
    """Leave out training rows that look like a test row, if asked, and say how many they are."""
    from sensitivenets.audit import without_look_alikes

    if cosine is None:
        return split, ()
    try:
        kept = without_look_alikes(split, X, cosine)
    except InputError as error:
        raise InputError(f"--apart: {error}") from None
    n_train = len(split.train)
    return kept, (
        f"{n_train - len(kept.train)} of {n_train} training rows left out: the cosine with a test "
        f"row is {cosine:g} or more",
    )


def attributes_of(
    table: EmbeddingTable, names: Sequence[str], *, crossed: bool
) -> dict[str, Labels]:
    """Read the attributes to attack, and their combination if it is wanted."""
    from sensitivenets.embeddings.labels import joint

    attributes = table.attributes(names)
    if crossed and len(attributes) > 1:
        both = joint(attributes)
        attributes[both.name] = both
    return attributes


def numbers_of(table: EmbeddingTable, names: Sequence[str]) -> dict[str, FloatArray]:
    """Read attributes that are numbers; NaN where a row has none.

    Raises
    ------
    InputError
        If a column holds something else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = {}
    for name in names:
        column = table.column(name)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            raise InputError(
                f"{table.source}: column {name!r}: expected numbers, found {column.type}; "
                "attack it as an --attribute"
            )
        values = pc.fill_null(column.cast(pa.float64()), np.nan)
        numbers[name] = values.to_numpy()
    return numbers


def measure_verification(tables: Tables, split: Split, random_state: int) -> dict[str, Any]:
    """Measure what was kept: all pairs of the test rows, where identities have several."""
    from sensitivenets.verification import verify_all_pairs

    if tables.subject is None:
        return {}
    subject = tables.subject.take(split.test)
    sides = {"before": tables.before, "after": tables.after}
    try:
        return {
            side: verify_all_pairs(
                table.vectors[split.test], subject, random_state=random_state
            ).to_dict()
            for side, table in sides.items()
            if table is not None
        }
    except InputError as error:
        # An audit of what leaks is worth having without it.
        print_notice(f"verification: not measured, {error}")
        return {}
