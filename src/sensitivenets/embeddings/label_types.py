"""One type for each label column, however many files it is in."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from sensitivenets.embeddings.embedding_column import EmbeddingColumn
from sensitivenets.embeddings.location import Part
from sensitivenets.embeddings.parquet_files import own_metadata
from sensitivenets.embeddings.part_facts import PartFacts
from sensitivenets.embeddings.text_types import TEXT_KINDS, kind_of_text, widest
from sensitivenets.errors import InputError


def label_schema(
    parts: Sequence[Part], facts: Sequence[PartFacts], embedding: EmbeddingColumn
) -> pa.Schema:
    """Give each label column, Hive partitions among them, one type for all parts.

    Raises
    ------
    InputError
        If a column has types that nothing holds; the message names the files.
    """
    found: dict[str, pa.Field] = {}
    for part, one in zip(parts, facts, strict=True):
        for field in one.schema:
            if field.name in embedding.read:
                continue
            known = found.setdefault(field.name, field)
            if known.type != field.type:
                found[field.name] = _common(known, field, part, parts[0])
    for key in dict.fromkeys(key for part in parts for key in part.keys):
        if key not in found and key not in embedding.read:
            values = pa.array([part.keys.get(key) for part in parts], pa.string())
            found[key] = pa.field(key, kind_of_text(values))
    return pa.schema([*found.values()], own_metadata(facts[0].schema))


def _common(known: pa.Field, field: pa.Field, part: Part, first: Part) -> pa.Field:
    kinds = {known.type, field.type}
    if part.suffix == ".csv" and kinds <= TEXT_KINDS:
        return known.with_type(widest(kinds))
    try:
        both = [pa.schema([known]), pa.schema([field])]
        return pa.unify_schemas(both, promote_options="permissive").field(0)
    except pa.ArrowException as error:
        raise InputError(
            f"{part.name}: column {field.name!r} is {field.type}, but {known.type} in "
            f"{first.name}; write both alike"
        ) from error


def in_types_of(labels: pa.Schema, part: Part, facts: PartFacts) -> PartFacts:
    """Let text be read as what it is in all parts, so that 1.50 does not become 1.5 on the way."""
    if part.suffix != ".csv":
        return facts
    fields = [labels.field(f.name) if f.name in labels.names else f for f in facts.schema]
    return PartFacts(pa.schema(fields), facts.rows)
