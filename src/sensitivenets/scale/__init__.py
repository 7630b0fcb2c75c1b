"""Tables that do not fit into memory: blocks of a Parquet file, and fits from them."""

from sensitivenets.scale.fit_parquet import fit_parquet
from sensitivenets.scale.parquet_blocks import Block, parquet_blocks

__all__ = ["Block", "fit_parquet", "parquet_blocks"]
