"""``sensitivenets encode``: turn embeddings into codes of a secret key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import read_rows, refuse_existing, refuse_own_output
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.codes import CodeParameters
    from sensitivenets.embeddings import EmbeddingTable

_BITS = 1024
_SCALE = 1.5


def encode(
    table: Path,
    /,
    *,
    key: Path,
    out: Path,
    model: Path | None = None,
    like: Path | None = None,
    bits: int | None = None,
    scale: float | None = None,
    keep: list[str] | None = None,
    where: list[str] | None = None,
    embedding: str = "embedding",
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Turn the embeddings of a table into codes that only this key can compare.

    `verify` and `audit` read the codes like any table.

    Parameters
    ----------
    table
        Embeddings: .parquet, .npz, or .npy beside .csv.
    key
        Key file, made by `sensitivenets key new`.
    out
        Parquet file to write.
    model
        Model folder: the embeddings go through it first.
    like
        Codes to be comparable with: take their bits and scale, and refuse another key or model.
    bits
        Bits of a code, a multiple of 8 (default: 1024).
    scale
        How fast distances flatten (default: 1.5); larger tells less and recognises worse.
    keep
        Label columns to write, all unless given; codes protect no labels. May be given several
        times.
    where
        Encode only the rows with COLUMN=VALUE; may be given several times.
    embedding
        Name of the embedding column.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.codes import CodeKey, encode_table, write_codes
    from sensitivenets.codes.code_files import is_code_file

    if is_code_file(table):
        raise InputError(f"{table}: holds codes already; encode the embeddings they were made from")
    if out.suffix != ".parquet":
        raise InputError(f"{out}: codes are written as .parquet; choose a name that ends so")
    refuse_existing(out, overwrite=overwrite)
    secret = CodeKey.load(key)
    rows = _keep_labels(read_rows(table, where or [], embedding), keep)
    encoder = None
    if model is not None:
        rows, encoder = _through_model(rows, model, table)
    parameters = _parameters(rows.dim, bits, scale, like)
    codes = encode_table(rows, secret, parameters, encoder=encoder)
    if like is not None:
        from sensitivenets.codes import read_codes

        codes.require_comparable(read_codes(like))
    write_codes(codes, out)
    if json:
        facts = {"rows": len(codes), "n_bits": parameters.n_bits, "scale": parameters.scale}
        print_json({"table": str(out), "key_id": codes.key_id} | facts)
    else:
        print_line(
            f"{len(codes)} codes of {parameters.n_bits} bits at scale {parameters.scale:g}, key "
            f"{codes.key_id}: {out}"
        )


def _keep_labels(rows: EmbeddingTable, keep: list[str] | None) -> EmbeddingTable:
    import dataclasses

    import pyarrow as pa

    if keep is None:
        return rows
    kept = pa.table({name: rows.column(name) for name in keep})
    return dataclasses.replace(rows, columns=kept)


def _through_model(rows: EmbeddingTable, model: Path, table: Path) -> tuple[EmbeddingTable, str]:
    """Map the rows, and name the model by the SHA-256 of its arrays."""
    from sensitivenets.embeddings import check_vectors
    from sensitivenets.maps.digest import weights_digest
    from sensitivenets.maps.made_by import signed
    from sensitivenets.maps.model_folder import load_model

    loaded = load_model(model)
    phi = loaded.map
    refuse_own_output(rows, loaded, model)
    if rows.dim != phi.n_features_in:
        raise InputError(
            f"{table}: expected embeddings of {phi.n_features_in} features as {model} was fitted "
            f"on, found {rows.dim}; use the network that made the training embeddings"
        )
    mapped = phi(rows.vectors)
    check_vectors(mapped, f"{model}: what it makes of {table}")
    return signed(rows.with_vectors(mapped), loaded), weights_digest(phi.arrays())


def _parameters(
    n_features: int, bits: int | None, scale: float | None, like: Path | None
) -> CodeParameters:
    from sensitivenets.codes import CodeParameters, read_codes

    if like is None:
        return CodeParameters(
            n_features, _BITS if bits is None else bits, _SCALE if scale is None else scale
        )
    if bits is not None or scale is not None:
        raise InputError("--like: takes bits and scale from those codes; leave out --bits, --scale")
    theirs = read_codes(like).parameters
    return CodeParameters(n_features, theirs.n_bits, theirs.scale)
