"""Whose rows were audited: whether those of two tables belong together, and the map saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.audit.correspondence import (
    COLUMNS,
    Correspondence,
    corresponding_rows,
    made_by_map,
)
from sensitivenets.audit.inversion import Phi
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError
from sensitivenets.maps.made_by import Maker, makers_of, rows_seen
from sensitivenets.report.inputs import AuditInputs
from sensitivenets.report.numbers import joined
from sensitivenets.serialisation import decode_fields, encode_fields

HELD, NEW, UNKNOWN = "held", "new", "unknown"


@dataclass(frozen=True)
class Population:
    """Whether the map had seen the rows that were attacked.

    Attributes
    ----------
    kind : str
        ``"held"``: it was fitted on these very rows, or adapted to them; ``"new"``: it was not, as
        far as the columns of the table tell; ``"unknown"``: nobody says what made the table.
    n_rows : int
        Rows of that kind among training and test rows.
    labels : tuple of str
        Attributes whose labels of these very rows the map was fitted on.
    attackers_outside : bool
        Whether the attackers learned from rows of the other kind.
    made_by : tuple of str
        Methods of the models that made the second table, as far as it or the model says so.
    """

    kind: str
    n_rows: int
    labels: tuple[str, ...] = ()
    attackers_outside: bool = False
    made_by: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """What a reader of the figures must know."""
        if self.kind == UNKNOWN:
            return (
                "It is not known whether the map was fitted on these rows: give its model, or the "
                "table that `transform` wrote"
            )
        if self.kind == NEW:
            return (
                "New rows: the map was fitted on none of them, as far as the columns of the table "
                "tell"
            )
        if not self.labels:
            return (
                "Held rows: the map was adapted to these very rows, without labels of theirs; "
                "for people who come later more is left"
            )
        return (
            f"Held rows: the map was fitted on these very rows and their own labels of "
            f"{joined(list(self.labels))}; this is not a figure for anybody else"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, the sentence among them."""
        return encode_fields(self) | {"sentence": self.sentence}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Population:
        """Rebuild from what `to_dict` returned."""
        kept = {key: value for key, value in data.items() if key != "sentence"}
        population = decode_fields(kept, cls, "rows")
        assert isinstance(population, cls)
        return population


def correspondence_of(inputs: AuditInputs, phi: Phi | None, seed: int) -> Correspondence | None:
    """Find out whether row i of the second table is row i of the first; None for one table.

    A column that tells all rows apart settles it; else the map, where it is known; else, and where
    rows differ from what the map makes, the neighbours.
    """
    if inputs.after is None:
        return None
    if phi is not None:
        by_map = made_by_map(np.asarray(phi(inputs.before)), inputs.after)
        if not by_map.holds or by_map.found == 1:
            return by_map
    if inputs.key is not None:
        return Correspondence(COLUMNS, holds=True)
    return corresponding_rows(inputs.before, inputs.after, seed)


def makers(after: Any, model_maker: Maker | None) -> tuple[Maker, ...]:
    """Return what made the second table: what its file says, and the model that was given."""
    written = makers_of(after) if isinstance(after, EmbeddingTable) else ()
    return (*written, *(() if model_maker is None else (model_maker,)))


def part_populations(
    before: Any, split: Split, made_by: tuple[Maker, ...], inputs: AuditInputs
) -> list[tuple[Population | None, Split]]:
    """Part the rows into those that the map has seen and those it has not; never mixed.

    Parameters
    ----------
    before : EmbeddingTable or ndarray
        The first table.
    split : Split
        Who trains the attackers and who is attacked.
    made_by : tuple of Maker
        What made the second table.
    inputs : AuditInputs
        The tables.

    Returns
    -------
    list of (Population, Split)
        New rows first. Where all training rows are of one kind and all test rows of the other,
        one pair, of the kind of the test rows. No population where there is no second table.

    Raises
    ------
    InputError
        If one kind has training or test rows only, and the other has both.
    """
    if inputs.after is None:
        return [(None, split)]
    n_rows = len(inputs.before)
    if not made_by:
        return [(Population(UNKNOWN, len(split.train) + len(split.test)), split)]
    methods = tuple(dict.fromkeys(maker.method for maker in made_by))
    held, labels = np.zeros(n_rows, dtype=bool), dict[str, None]()
    for seen in rows_seen(before, made_by):
        labels |= dict.fromkeys(seen.labels)
        held |= _mask(before, seen.column, seen.value, n_rows)
    kinds = {HELD: (held, tuple(labels)), NEW: (~held, ())}
    tested = [kind for kind, (mask, _) in kinds.items() if mask[split.test].any()]
    if len(tested) == 1:
        mask, used = kinds[tested[0]]
        own = split.train[mask[split.train]]
        outside = len(own) == 0
        kept = split if outside else replace(split, train=own)
        n_own = len(kept.train) + len(kept.test)
        return [(Population(tested[0], n_own, used, outside, methods), kept)]
    parts: list[tuple[Population | None, Split]] = []
    for kind in (NEW, HELD):
        mask, used = kinds[kind]
        train, test = (rows[mask[rows]] for rows in (split.train, split.test))
        if not len(train):
            raise InputError(
                f"split: {len(test)} of the test rows are {kind} rows, and no training row is; "
                "held and new rows are attacked apart: choose training rows of both"
            )
        parts.append((
            Population(kind, len(train) + len(test), used),
            replace(split, train=train, test=test),
        ))
    return parts


def other_parts(parts: Sequence[tuple[Population | None, Split]]) -> list[Split | None]:
    """Return, for each part of the rows, the other one; None where there is one only."""
    splits = [split for _, split in parts]
    return [*splits[::-1]] if len(splits) > 1 else [None for _ in splits]


def _mask(table: Any, column: str | None, value: str | None, n_rows: int) -> npt.NDArray[np.bool_]:
    if column is None or value is None:
        return np.ones(n_rows, dtype=bool)
    labels = table.labels(column)
    return np.asarray(labels.codes == labels.classes.index(value))
