"""Pickles of containers, read without trust.

A pickle can run any code of its author. What is read here may hold lists, tuples, dictionaries,
text, bytes, numbers and numpy's own containers of them; any other name is refused before it is
called.
"""

from __future__ import annotations

import pickle
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from sensitivenets.errors import InputError

_KINDS = {
    "b": "Booleans",
    "u": "unsigned integers",
    "i": "integers",
    "f": "floats",
    "U": "text",
    "O": "objects",
}


class _ArrayType:
    """Stands for `numpy.ndarray`, which could be called with any shape."""


# The unpickler in Python: the one in C takes gigabytes for a memo of one far index.
class ContainersUnpickler(pickle._Unpickler):
    """Admits containers; a name that is not on the list is refused, not imported.

    Parameters
    ----------
    file : binary file
        Where the pickle begins.
    what : str
        What the file should be, for messages.
    kinds : str
        Kinds of numpy types that its arrays may have, as in ``dtype.kind``.
    encoding : str, default="ASCII"
        Of the texts that Python 2 wrote.
    """

    def __init__(self, file: BinaryIO, what: str, kinds: str, *, encoding: str = "ASCII") -> None:
        super().__init__(file, encoding=encoding)
        self._what, self._kinds = what, kinds

    def find_class(self, module: str, name: str) -> Any:
        """Return what stands for a name, or refuse it."""
        if (module, name) == ("numpy", "dtype"):
            return partial(_plain_dtype, self._kinds)
        if (module, name) in _ADMITTED:
            return _ADMITTED[module, name]
        raise InputError(
            f"asks for {f'{module}.{name}'[:80]!r}, which {self._what} has no use for; the "
            "file is not what it says, and nothing of it was run"
        )

    def persistent_load(self, pid: Any) -> Any:
        """Refuse objects that are kept elsewhere."""
        raise InputError(f"asks for the object {pid!r} outside the file; nothing of it was run")


def _latin_bytes(text: str, encoding: str | bytes) -> bytes:
    if encoding not in {"latin1", b"latin1"}:
        raise InputError(f"encodes text as {encoding!r}, expected latin1")
    return text.encode("latin1")


def _plain_dtype(kinds: str, kind: Any, *flags: Any) -> np.dtype[Any]:
    del flags
    dtype = np.dtype(kind if isinstance(kind, str) else str(kind, "ascii"))
    if dtype.kind not in kinds:
        named = ", ".join(_KINDS[one] for one in kinds)
        raise InputError(f"holds an array of type {dtype}, expected one of {named}")
    return dtype


def _empty_array(kind: Any, shape: Any, dtype: Any) -> npt.NDArray[Any]:
    # As numpy itself begins; the state that follows gives it shape, type and bytes.
    if kind is not _ArrayType or tuple(shape) != (0,):
        raise InputError("builds an array in an unusual way; nothing of it was run")
    return np.ndarray((0,), np.dtype(dtype if dtype != b"b" else "b"))


def _scalar(dtype: np.dtype[Any], data: bytes) -> Any:
    return np.frombuffer(data, dtype=dtype)[0]


def _from_buffer(data: Any, dtype: np.dtype[Any], shape: Any, order: str) -> npt.NDArray[Any]:
    del order
    return np.frombuffer(data, dtype=dtype).reshape(shape)


# Protocol 2 makes bytes by `_codecs.encode`.
_ADMITTED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _ArrayType,
    ("_codecs", "encode"): _latin_bytes,
} | {
    (f"{core}.{module}", name): call
    for core in ("numpy.core", "numpy._core")
    for module, name, call in (
        ("multiarray", "_reconstruct", _empty_array),
        ("multiarray", "scalar", _scalar),
        ("numeric", "_frombuffer", _from_buffer),
    )
}
