"""The table of embeddings: vectors, labels, the files they come in, and the checks at the door."""

from sensitivenets.embeddings.arrays import (
    FloatArray,
    as_plain,
    as_vectors,
    canonical_values,
    check_vectors,
    squared_norms,
    vectors_from_arrow,
    vectors_to_arrow,
)
from sensitivenets.embeddings.files import read_table, write_table
from sensitivenets.embeddings.labels import Labels, encode
from sensitivenets.embeddings.table import EmbeddingTable, label_column, rows_with

__all__ = [
    "EmbeddingTable",
    "FloatArray",
    "Labels",
    "as_plain",
    "as_vectors",
    "canonical_values",
    "check_vectors",
    "encode",
    "label_column",
    "read_table",
    "rows_with",
    "squared_norms",
    "vectors_from_arrow",
    "vectors_to_arrow",
    "write_table",
]
