"""What made a table: a record in its metadata, so that an audit knows whose rows a map has seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.embeddings.fingerprint import fingerprint, is_among
from sensitivenets.embeddings.rows import blas_threads
from sensitivenets.embeddings.source import TableSource
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.digest import weights_digest
from sensitivenets.version import __version__

_METADATA = b"sensitivenets.made_by"
# Columns of more values name people, not sets of rows.
_MOST_SETS = 100
_ADAPTED, _DETECTOR, _PRIMARY = "adapted", "detector", "primary"
_UNLABELLED, _REFERENCE = "unlabelled", "reference "


@dataclass(frozen=True)
class Maker:
    """A model that made a table, as far as others may know it.

    Attributes
    ----------
    method : str
        Name of its estimator.
    removed : tuple of str
        Attributes that it was to remove.
    fingerprint : mapping
        Of the rows that it was fitted or adapted on, by data set (see `Model`).
    weights_sha256, library_version : str
        Digest of its arrays, and the version that applied them.
    threads : int
        Of the linear algebra; the last bits of the values depend on it.
    """

    method: str
    removed: tuple[str, ...]
    fingerprint: Mapping[str, Any]
    weights_sha256: str = ""
    library_version: str = ""
    threads: int = 0

    @classmethod
    def of(cls, model: Model) -> Maker:
        """Leave out of a model what only its owner needs: the map, the curve, the parameters."""
        return cls(
            model.method,
            tuple(model.removed),
            dict(model.fingerprint),
            weights_digest(model.map.arrays()),
            __version__,
            blas_threads(),
        )


@dataclass(frozen=True)
class Seen:
    """Rows of a table that a map was fitted or adapted on.

    Attributes
    ----------
    column, value : str or None
        The rows where a column has a value; None for the whole table.
    labels : tuple of str
        Attributes whose labels of these very rows the map learned from; none if it was adapted.
    """

    column: str | None
    value: str | None
    labels: tuple[str, ...]


def signed(table: EmbeddingTable, model: Model) -> EmbeddingTable:
    """Put on record that a model made a table, after those that made it before."""
    return _recorded(table, (*makers_of(table), Maker.of(model)))


def makers_of(table: EmbeddingTable | TableSource) -> tuple[Maker, ...]:
    """Return the models that made a table, the last one last; none if nothing says so.

    Raises
    ------
    InputError
        If the record is damaged.
    """
    if isinstance(table, EmbeddingTable):
        schema, source = table.columns.schema, table.source
    else:
        schema, source = table.labels, table.name
    text = (schema.metadata or {}).get(_METADATA)
    if text is None:
        return ()
    try:
        return tuple(_maker(one) for one in json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InputError(
            f"{source}: damaged record of the model that made it ({error}); transform again"
        ) from error


def _maker(record: Mapping[str, Any]) -> Maker:
    return Maker(
        str(record["method"]),
        tuple(map(str, record["removed"])),
        dict(record["fingerprint"]),
        str(record["weights_sha256"]),
        str(record["library_version"]),
        int(record["threads"]),
    )


def of_drawn(
    table: EmbeddingTable, whole: Mapping[str, Any], drawn: EmbeddingTable
) -> EmbeddingTable:
    """Let the record of what made a table name the rows that were drawn of it.

    Whoever was fitted or adapted on the whole of a table was so on any rows drawn of it, whose
    fingerprint is another.

    Parameters
    ----------
    table : EmbeddingTable
        The drawn rows after the map, with the record of the whole.
    whole : mapping
        Fingerprint of the whole table before the map.
    drawn : EmbeddingTable
        The drawn rows of it.

    Returns
    -------
    EmbeddingTable
        For an audit of these rows; nothing that is kept.
    """
    own = fingerprint(drawn.vectors)
    makers = [
        replace(
            maker,
            fingerprint={
                name: own if isinstance(one, Mapping) and is_among(whole, {name: one}) else one
                for name, one in maker.fingerprint.items()
            },
        )
        for maker in makers_of(table)
    ]
    return _recorded(table, makers)


def _recorded(table: EmbeddingTable, makers: Sequence[Maker]) -> EmbeddingTable:
    text = json.dumps([asdict(maker) for maker in makers], ensure_ascii=False)
    known = dict(table.columns.schema.metadata or {}) | {_METADATA: text.encode()}
    return replace(table, columns=table.columns.replace_schema_metadata(known))


def rows_seen(table: EmbeddingTable | FloatArray, makers: tuple[Maker, ...]) -> tuple[Seen, ...]:
    """Find the rows of a table that a map was fitted or adapted on.

    Sets of rows are told by their fingerprint: the whole table, or the rows where one column has
    one value, such as ``split = fit``. Another part of what a map was fitted on cannot be told.

    Parameters
    ----------
    table : EmbeddingTable or ndarray of shape (n, d)
        The table *before* the map.
    makers : tuple of Maker
        The map, or the maps.

    Returns
    -------
    tuple of Seen
        Empty if no such set of rows was.
    """
    vectors = table.vectors if isinstance(table, EmbeddingTable) else table
    found = _in_whole(vectors, makers)
    if found is not None:
        return (Seen(None, None, found),)
    if not isinstance(table, EmbeddingTable):
        return ()
    sizes = {
        record.get("rows")
        for maker in makers
        for record in maker.fingerprint.values()
        if isinstance(record, Mapping)
    }
    seen = []
    for name in table.columns.column_names:
        labels = _sets(table, name)
        for code, (value, count) in enumerate(labels.counts().items() if labels else ()):
            if count in sizes and labels is not None:
                used = _in_whole(vectors[labels.codes == code], makers)
                seen += [] if used is None else [Seen(name, value, used)]
    return tuple(seen)


def _sets(table: EmbeddingTable, name: str) -> Any:
    try:
        labels = table.labels(name)
    except InputError:
        # A column of lists, say: it tells no sets of rows.
        return None
    return labels if len(labels.classes) <= _MOST_SETS else None


def _in_whole(vectors: FloatArray, makers: tuple[Maker, ...]) -> tuple[str, ...] | None:
    """Attributes whose labels of exactly these rows were learned from; None if not one row was."""
    own, used = fingerprint(vectors), dict[str, None]()
    seen = False
    for maker in makers:
        for name, record in maker.fingerprint.items():
            if isinstance(record, Mapping) and is_among(own, {name: record}):
                seen = True
                if _has_labels(name, maker.fingerprint):
                    used |= dict.fromkeys(maker.removed)
    return tuple(used) if seen else None


def _has_labels(name: str, records: Mapping[str, Any]) -> bool:
    """Whether the attributes were learned from a set: not if it was adapted to, or had its own."""
    prefix = _REFERENCE if name.startswith(_REFERENCE) else ""
    if name.removeprefix(prefix) in {_ADAPTED, _UNLABELLED}:
        return False
    return not (name == prefix + _PRIMARY and prefix + _DETECTOR in records)
