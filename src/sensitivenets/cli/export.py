"""``sensitivenets export``: a model as ONNX, alone or behind the network that makes its input."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import refuse_existing
from sensitivenets.errors import InputError


def export(
    model: Path,
    /,
    *,
    out: Path,
    fuse: Path | None = None,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write a model as ONNX, to run where there is no Python.

    Parameters
    ----------
    model
        Model folder.
    out
        ONNX file to write.
    fuse
        ONNX file of the network that makes the embeddings: both become one file, whose output is
        already agnostic. Embeddings are scaled to unit length in between.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    """
    from sensitivenets.atomic import atomic_file
    from sensitivenets.maps.model_folder import load_model

    if out.suffix != ".onnx":
        raise InputError(f"{out}: expected a name that ends in .onnx")
    if importlib.util.find_spec("onnx") is None:
        raise InputError("export needs onnx: pip install 'sensitivenets[onnx]'")
    import onnx
    from google.protobuf.message import DecodeError

    from sensitivenets import onnx_export

    refuse_existing(out, overwrite=overwrite)
    phi = load_model(model).map
    if fuse is None:
        made = onnx_export.to_onnx(phi)
    else:
        try:
            network = onnx.load(fuse)
        except (FileNotFoundError, IsADirectoryError):
            raise InputError(f"{fuse}: no such file") from None
        except DecodeError as error:
            raise InputError(f"{fuse}: expected an ONNX model; {error}") from error
        made = onnx_export.fuse(network, phi)
    with atomic_file(out) as temporary:
        temporary.write_bytes(made.SerializeToString())
    inputs = [value.name for value in made.graph.input]
    if json:
        print_json({"onnx": str(out), "inputs": inputs, "n_features": phi.n_features_out})
    else:
        print_line(f"{', '.join(inputs)} -> agnostic, {phi.n_features_out} features: {out}")
