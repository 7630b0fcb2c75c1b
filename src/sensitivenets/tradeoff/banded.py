"""Numbers to hide, such as an age, as bands: those of the reference, in the table as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.embeddings.number_bands import band_edges, edges_named, number_bands
from sensitivenets.errors import InputError, some_of
from sensitivenets.maps.base import Model


@dataclass(frozen=True)
class Banded:
    """A table and its reference, whose numbers became bands.

    Attributes
    ----------
    table : EmbeddingTable
        To be protected.
    reference : EmbeddingTable or Model
        What groups are learned from; a model has its bands already.
    numbers : dict of str to ndarray of shape (n,)
        The numbers of the table, those columns that it has; NaN where unknown.
    """

    table: EmbeddingTable
    reference: EmbeddingTable | Model
    numbers: dict[str, FloatArray]


def banded(
    table: EmbeddingTable, reference: EmbeddingTable | Model, names: Sequence[str]
) -> Banded:
    """Name the band of each number, by the reference's quantiles.

    Parameters
    ----------
    table : EmbeddingTable
        To be protected; it need not have the columns.
    reference : EmbeddingTable or Model
        With them, or fitted on them.
    names : sequence of str
        Columns of numbers.

    Returns
    -------
    Banded
        The bands of a column stand in its place.

    Raises
    ------
    InputError
        If a column of numbers is missing or holds something else, or a model has no bands of it.
    """
    numbers = {}
    for name in names:
        edges = _edges(reference, name)
        if isinstance(reference, EmbeddingTable):
            reference = _with_bands(reference, name, edges)
        if name in table.columns.column_names:
            numbers[name] = table.numbers(name)
            table = _with_bands(table, name, edges)
    return Banded(table, reference, numbers)


def _edges(reference: EmbeddingTable | Model, name: str) -> FloatArray:
    if isinstance(reference, EmbeddingTable):
        try:
            return band_edges(reference.numbers(name))
        except InputError as error:
            raise InputError(f"{reference.source}: {name}: {error}") from error
    found = edges_named(reference.removed.get(name, ()))
    if found is None:
        raise InputError(
            f"reference: expected a model that removes the number {name!r}, found one that removes "
            f"{some_of(reference.removed)}; fit one (fit --continuous {name}), or give the table"
        )
    return found


def _with_bands(table: EmbeddingTable, name: str, edges: FloatArray) -> EmbeddingTable:
    bands = pa.array(number_bands(table.numbers(name), edges=edges), pa.string())
    where = table.columns.column_names.index(name)
    return replace(table, columns=table.columns.set_column(where, name, bands))
