"""A table of codes that knows its key, and refuses to be compared with codes of another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sensitivenets.codes.hamming import (
    Counts,
    IntArray,
    hamming_distances,
    hamming_of_pairs,
    nearest_codes,
)
from sensitivenets.codes.keys import CodeKey, is_key_id
from sensitivenets.codes.universal import CodeParameters, code_of_key, unpack
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError
from sensitivenets.maps.universal_code import PackedBits


@dataclass(frozen=True)
class CodeTable:
    """Packed codes with their labels, and what they were made with.

    Attributes
    ----------
    packed : ndarray of shape (n, n_bits / 8), uint8
        One code a row.
    columns : pyarrow.Table
        Label columns of the same rows; they are not protected by the code.
    key_id : str
        Id of the key, not the key.
    parameters : CodeParameters
        Features, bits and scale.
    encoder : str or None
        SHA-256 of the weights of the model that the embeddings went through before; None if they
        were encoded as they were.
    source : str
        Where the table came from, for messages.
    """

    packed: PackedBits
    columns: pa.Table
    key_id: str
    parameters: CodeParameters
    encoder: str | None = None
    source: str = "codes"

    def __post_init__(self) -> None:
        n_bytes = self.parameters.n_bits // 8
        if self.packed.dtype != np.uint8 or self.packed.shape[1:] != (n_bytes,):
            raise InputError(
                f"{self.source}: expected codes of {n_bytes} bytes, found {self.packed.dtype} of "
                f"shape {self.packed.shape}"
            )
        if not len(self.packed):
            raise InputError(f"{self.source}: expected at least one code, found none")
        if self.columns.num_columns and self.columns.num_rows != len(self.packed):
            raise InputError(
                f"{self.source}: expected one label row for each of {len(self.packed)} codes, "
                f"found {self.columns.num_rows}"
            )
        if not is_key_id(self.key_id):
            raise InputError(f"{self.source}: expected the id of a key, found {self.key_id!r:.40}")

    def __len__(self) -> int:
        return len(self.packed)

    def take(self, rows: npt.NDArray[Any]) -> CodeTable:
        """Keep the given rows (indices or a mask), in that order."""
        rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return replace(self, packed=self.packed[rows], columns=self.columns.take(pa.array(rows)))

    def require_comparable(self, other: CodeTable) -> None:
        """Refuse codes whose distances to these would mean nothing.

        Raises
        ------
        InputError
            If the key, the parameters, or the model that the embeddings went through differ.
        """
        if self.key_id != other.key_id:
            raise InputError(
                f"{self.source} has codes of key {self.key_id}, {other.source} of key "
                f"{other.key_id}: codes of two keys cannot be compared; encode one of them again "
                "from its embeddings, with the key of the other"
            )
        if self.parameters != other.parameters:
            raise InputError(
                f"{self.source} has {_described(self.parameters)}, {other.source} "
                f"{_described(other.parameters)}: such codes cannot be compared; encode both with "
                "the same parameters"
            )
        if self.encoder != other.encoder:
            raise InputError(
                f"{self.source} and {other.source}: the embeddings went through different models "
                "before they were encoded; encode both through the same model"
            )

    def distances(self, gallery: CodeTable) -> Counts:
        """Count the bits that differ between each code of this table and each of a gallery.

        Returns
        -------
        ndarray of shape (len(self), len(gallery)), int32
            Lower is more alike.

        Raises
        ------
        InputError
            If the two cannot be compared.
        """
        self.require_comparable(gallery)
        return hamming_distances(self.packed, gallery.packed)

    def pair_distances(
        self, other: CodeTable, rows: npt.NDArray[Any], columns: npt.NDArray[Any]
    ) -> Counts:
        """Count the bits that differ between ``rows[k]`` of this and ``columns[k]`` of another.

        Raises
        ------
        InputError
            If the two cannot be compared, or a row is not there.
        """
        self.require_comparable(other)
        return hamming_of_pairs(self.packed, other.packed, rows, columns)

    def nearest(self, gallery: CodeTable, k: int = 1) -> tuple[IntArray, Counts]:
        """Find the `k` codes of a gallery nearest to each of this table; see `nearest_codes`.

        Raises
        ------
        InputError
            If the two cannot be compared, or the gallery has fewer codes.
        """
        self.require_comparable(gallery)
        return nearest_codes(self.packed, gallery.packed, k)

    def as_embeddings(self) -> EmbeddingTable:
        """Return the codes as unit rows of +-1 / sqrt(n_bits), for whatever works on embeddings.

        The cosine of two rows is 1 - 2 h, with h the share of bits that differ, so verification
        gives the same figures on either. Takes 32 times the memory.
        """
        vectors = unpack(self.packed, self.parameters.n_bits)
        return EmbeddingTable(vectors, self.columns, self.source, "code")


def encode_table(
    table: EmbeddingTable,
    key: CodeKey,
    parameters: CodeParameters,
    *,
    encoder: str | None = None,
) -> CodeTable:
    """Encode the embeddings of a table; its label columns stay.

    Parameters
    ----------
    table : EmbeddingTable
        Embeddings, of which only the direction counts.
    key : CodeKey
        The secret.
    parameters : CodeParameters
        Their number of features must be that of the embeddings.
    encoder : str, optional
        What the embeddings went through before, so that it is not mixed up.

    Returns
    -------
    CodeTable

    Raises
    ------
    InputError
        If the number of features is another.
    """
    if table.dim != parameters.n_features:
        raise InputError(
            f"{table.source}: expected embeddings of {parameters.n_features} features, found "
            f"{table.dim}; use the network that made the other codes"
        )
    packed = code_of_key(key, parameters).pack(table.vectors)
    return CodeTable(packed, table.columns, key.key_id, parameters, encoder, table.source)


def _described(parameters: CodeParameters) -> str:
    return (
        f"{parameters.n_bits} bits at scale {parameters.scale:g} of {parameters.n_features} "
        "features"
    )
