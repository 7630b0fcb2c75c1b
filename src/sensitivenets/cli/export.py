"""``sensitivenets export``: a model as ONNX, alone or behind the network that makes its input."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import refuse_existing
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto


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
        already agnostic. Embeddings are scaled to unit length in between if those were that the
        model was fitted on.
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
    from google.protobuf.message import EncodeError

    from sensitivenets import onnx_export

    refuse_existing(out, overwrite=overwrite)
    fitted = load_model(model)
    made = onnx_export.to_onnx(fitted) if fuse is None else onnx_export.fuse(_read(fuse), fitted)
    try:
        content = made.SerializeToString()
    except (ValueError, EncodeError) as error:
        raise InputError(f"{out}: cannot be one file: {error}") from error
    with atomic_file(out) as temporary:
        temporary.write_bytes(content)
    inputs = [value.name for value in made.graph.input]
    n_features = fitted.map.n_features_out
    if json:
        print_json({"onnx": str(out), "inputs": inputs, "n_features": n_features})
    else:
        print_line(f"{', '.join(inputs)} -> agnostic, {n_features} features: {out}")


def _read(path: Path) -> ModelProto:
    """Read a network, with weights that lie in files beside it."""
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise InputError(f"{path}: no such file; expected the ONNX file of a network")
    try:
        # Whatever its name ends in: by it, onnx would choose another form.
        return onnx.load(path, format="protobuf")
    except DecodeError as error:
        raise InputError(f"{path}: expected an ONNX model; {error}") from error
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path}: its weights cannot be read: {said:.300}") from error
