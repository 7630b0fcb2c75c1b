"""The files that a network consists of: one of ONNX, and where its weights lie apart, those too."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sensitivenets.errors import InputError

# The key under which ONNX says where weights lie: without these bytes, there are none apart.
_MARK = b"location"


@dataclass(frozen=True)
class NetworkFiles:
    """A network as it is stored.

    Attributes
    ----------
    path : Path
        The ONNX file.
    content : bytes
        What it holds.
    sha256 : str
        Its SHA-256. For weights in other files, that of a line for each file: the SHA-256 of the
        ONNX file, then ``<SHA-256>  <name>`` for the others in the order of their names.
    """

    path: Path
    content: bytes
    sha256: str


def read_network(path: Path) -> NetworkFiles:
    """Read a network, and the digest of all that it consists of.

    Raises
    ------
    InputError
        If it is no file, or weights lie in files that are not beside it.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected an ONNX file, found {_what_it_is(path)}")
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    others = _other_files(path, content) if _MARK in content else []
    if others:
        lines = [f"{_sha256(_beside(path, name))}  {name}\n" for name in others]
        digest = hashlib.sha256("".join([f"{digest}\n", *lines]).encode()).hexdigest()
    return NetworkFiles(path, content, digest)


def _what_it_is(path: Path) -> str:
    if path.is_dir():
        return "a folder"
    return "no regular file" if path.exists() else "no such file"


def _other_files(path: Path, content: bytes) -> list[str]:
    """Return the names of the files in which weights lie, sorted."""
    if importlib.util.find_spec("onnx") is None:
        raise InputError(
            f"{path}: its weights may lie in other files, which reading needs: "
            "pip install 'sensitivenets[onnx]'"
        )
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise InputError(f"{path}: expected an ONNX file; {error}") from error
    places = {
        entry.value
        for tensor in _tensors(model)
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return sorted(places)


def _tensors(message: Any) -> Iterator[Any]:
    """Yield every tensor in a message, wherever it is: a weight, an attribute, in a subgraph."""
    if message.DESCRIPTOR.name == "TensorProto":
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            # One message, or several.
            for one in [value] if hasattr(value, "ListFields") else value:
                yield from _tensors(one)


def _beside(path: Path, name: str) -> Path:
    """Return a file of weights, which has to be in the folder of the network."""
    place = PurePosixPath(name)
    other = path.parent / name
    inside = not place.is_absolute() and ".." not in place.parts
    if not (inside and other.resolve().is_relative_to(path.parent.resolve())):
        raise InputError(f"{path}: its weights are said to be in {name!r}; expected them beside it")
    if not other.is_file():
        raise InputError(f"{path}: its weights are in {name!r}, which is not beside it")
    return other


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
