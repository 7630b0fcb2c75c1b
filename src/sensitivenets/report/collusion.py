"""What several protected versions of the same rows tell together: two maps, or two keys.

Each version may hide an attribute and their rows side by side show it, as the average of two noisy
copies is less noisy than either. So every attacker is run on the versions joined, feature by
feature, as an adversary has them who holds two leaked tables (ISO/IEC 24745 asks for renewed
templates; ISO/IEC 30136 for what several of them tell).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sensitivenets.audit.correspondence import corresponding_rows
from sensitivenets.audit.results import Headline
from sensitivenets.embeddings import EmbeddingTable, FloatArray, as_vectors
from sensitivenets.embeddings.same_rows import match_rows
from sensitivenets.errors import InputError
from sensitivenets.report.inputs import AuditInputs


@dataclass(frozen=True)
class Collusion:
    """What is read of one attribute from several protected versions of the same rows.

    Attributes
    ----------
    attribute : str
        Its name.
    versions : int
        Tables that were joined, the audited one among them.
    strongest : Headline
        The strongest attacker on all of them together.
    """

    attribute: str
    versions: int
    strongest: Headline


def read_versions(
    inputs: AuditInputs,
    before: EmbeddingTable | FloatArray,
    others: Sequence[EmbeddingTable | FloatArray],
    seed: int,
) -> tuple[FloatArray, ...]:
    """Bring further protected versions into the order of the first table.

    Raises
    ------
    InputError
        If one is not of the same rows, or there is no table after the map.
    """
    if others and inputs.after is None:
        raise InputError("also: expected the table after the map too; give both tables")
    found = []
    for k, other in enumerate(others):
        key = None
        if isinstance(before, EmbeddingTable) and isinstance(other, EmbeddingTable):
            matched = match_rows(before, other)
            other, key = matched.table, matched.key
        vectors = as_vectors(other, f"also, table {k + 1}")
        if len(vectors) != len(inputs.before):
            raise InputError(
                f"also, table {k + 1}: expected {len(inputs.before)} rows as in the table before, "
                f"found {len(vectors)}; give another version of the same rows"
            )
        known = None if key is not None else corresponding_rows(inputs.before, vectors, seed)
        if known is not None and not known.holds:
            raise InputError(f"also, table {k + 1}: {known.reason}")
        found.append(vectors)
    return tuple(found)
