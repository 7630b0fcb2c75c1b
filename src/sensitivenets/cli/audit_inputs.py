"""Two tables of the same rows, and who of them trains the attackers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sensitivenets.cli.output import print_notice
from sensitivenets.cli.selection import column_value, open_rows, read_rows
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit import Split
    from sensitivenets.cli.audit_options import AuditOptions
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
    from sensitivenets.embeddings.same_rows import match_rows

    table = read_rows(before, [], embedding)
    subject = None if identity is None else table.identities(identity)
    for name in labels:
        table.column(name)
    if after is None:
        return Tables(table, None, subject)
    mapped = read_rows(after, [], embedding)
    matched = match_rows(table, mapped)
    return Tables(table, matched.table, subject)


def read_sides(
    before: str, after: str | None, options: AuditOptions
) -> tuple[EmbeddingTable, EmbeddingTable | None, str | None]:
    """Read the tables to attack, or of large ones the same rows of both, which are drawn.

    Returns
    -------
    tuple
        The tables, the second None if there is none, and in words what was drawn.

    Raises
    ------
    InputError
        If a table cannot be read, or large ones have not as many rows.
    """
    from sensitivenets.codes.code_files import is_code_file
    from sensitivenets.embeddings.drawn_rows import MOST_ROWS, draw_rows
    from sensitivenets.embeddings.label_doubts import without_blanks
    from sensitivenets.erasers.fit_table import identified
    from sensitivenets.maps.made_by import makers_of, of_drawn

    where, embedding = [before, *([] if after is None else [after])], options.embedding
    if any(is_code_file(one) for one in where):
        tables = [read_rows(one, [], embedding) for one in where]
        return tables[0], tables[1] if len(tables) > 1 else None, None
    sources = [open_rows(one, [], embedding) for one in where]
    first = sources[0]
    if first.n_rows <= MOST_ROWS:
        return first.read(), sources[1].read() if len(sources) > 1 else None, None
    if options.also:
        raise InputError(
            f"--also: {first.name} has {first.n_rows} rows, of which some would be drawn; expected "
            f"{MOST_ROWS} at most with it: write a selection of all tables first"
        )
    for other in sources[1:]:
        if other.n_rows != first.n_rows:
            raise InputError(
                f"{other.name}: expected {first.n_rows} rows as in {first.name}, found "
                f"{other.n_rows}; give the same rows in the same order"
            )
    sides = [] if options.train is None else [column_value(options.train, "--train")[0]]
    domain = [] if options.domain is None else [options.domain]
    names = dict.fromkeys([*options.attribute, *domain, *sides])
    who = options.identity
    subject = None if who is None else without_blanks(first.read_codes(who)).codes
    strata = [first.read_codes(name) for name in names]
    drawn = draw_rows(first.n_rows, subject, strata, seed=options.random_state)
    print_notice(f"{drawn.sentence()}; these are attacked")
    tables = [source.take(drawn.rows) for source in sources]
    if len(tables) == 1:
        return tables[0], None, drawn.sentence()
    mapped = tables[1]
    if makers_of(mapped):
        # Whoever was fitted on the whole table was so on these rows of it.
        mapped = of_drawn(mapped, identified(first).to_dict(), tables[0])
    return tables[0], mapped, drawn.sentence()


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
