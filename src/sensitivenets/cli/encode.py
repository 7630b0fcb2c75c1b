"""``sensitivenets encode``: turn embeddings into codes of a secret key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import open_rows, refuse_existing, refuse_own_output
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.codes import CodeKey, CodeParameters, CodeTable
    from sensitivenets.embeddings.source import TableSource
    from sensitivenets.maps.base import Model

_BITS = 1024
_SCALE = 1.5


def encode(
    table: str,
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
        Embeddings: a file, a folder, a glob or a URL of .parquet, .feather, .csv, .jsonl, .npz,
        .npy or .safetensors; read and written block by block.
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
    from sensitivenets.codes import CodeKey, code_writer, is_code_file
    from sensitivenets.progress import progress_bar

    if is_code_file(table):
        raise InputError(f"{table}: holds codes already; encode the embeddings they were made from")
    if out.suffix != ".parquet":
        raise InputError(f"{out}: codes are written as .parquet; choose a name that ends so")
    refuse_existing(out, overwrite=overwrite)
    secret = CodeKey.load(key)
    source = open_rows(table, where or [], embedding)
    transformation = _before_encoding(model, keep, source)
    done = 0
    with progress_bar("encode") as progress, code_writer(out) as write:
        for codes in _encoded(source, transformation, secret, _Wanted(bits, scale, like)):
            write(codes)
            done += len(codes)
            progress(done, source.n_rows, "rows")
    parameters = codes.parameters
    if json:
        facts = {"rows": done, "n_bits": parameters.n_bits, "scale": parameters.scale}
        print_json({"table": str(out), "key_id": codes.key_id} | facts)
    else:
        print_line(
            f"{done} codes of {parameters.n_bits} bits at scale {parameters.scale:g}, key "
            f"{codes.key_id}: {out}"
        )


@dataclass(frozen=True)
class _Wanted:
    """What kind of codes, as far as it was said."""

    bits: int | None
    scale: float | None
    like: Path | None

    def parameters(self, n_features: int) -> CodeParameters:
        """Return what to encode with."""
        from sensitivenets.codes import CodeParameters, read_codes

        bits, scale = self.bits, self.scale
        if self.like is not None:
            if bits is not None or scale is not None:
                raise InputError(
                    "--like: takes bits and scale from those codes; leave out --bits, --scale"
                )
            theirs = read_codes(self.like).parameters
            bits, scale = theirs.n_bits, theirs.scale
        return CodeParameters(
            n_features, _BITS if bits is None else bits, _SCALE if scale is None else scale
        )


def _before_encoding(
    model: Path | None, keep: list[str] | None, source: TableSource
) -> tuple[Model | None, str | None, list[str]]:
    """Return the model that rows go through, its name, and the labels that stay beside codes."""
    from sensitivenets.maps.model_folder import load_model

    columns = source.labels.names if keep is None else keep
    source.require_labels(columns)
    return (None, None, columns) if model is None else (load_model(model), str(model), columns)


def _encoded(
    source: TableSource,
    before: tuple[Model | None, str | None, list[str]],
    secret: CodeKey,
    wanted: _Wanted,
) -> Iterator[CodeTable]:
    """Yield the codes of a table, block by block."""
    from sensitivenets.codes import encode_table, read_codes
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.digest import weights_digest
    from sensitivenets.maps.made_by import signed
    from sensitivenets.maps.transform_files import mapped_block

    model, name, columns = before
    # The model that the embeddings go through is named by the SHA-256 of its arrays.
    encoder = None if model is None else weights_digest(model.map.arrays())
    parameters = None
    if model is not None:
        refuse_own_output(source, model, Path(str(name)))
    for block in source.blocks(columns):
        rows = EmbeddingTable(block.vectors, source.noted(block.columns), source.name)
        if model is not None:
            rows = signed(rows.with_vectors(mapped_block(model, str(name), source, block)), model)
        if parameters is None:
            parameters = wanted.parameters(rows.dim)
            codes = encode_table(rows, secret, parameters, encoder=encoder)
            if wanted.like is not None:
                codes.require_comparable(read_codes(wanted.like))
            yield codes
        else:
            yield encode_table(rows, secret, parameters, encoder=encoder)
