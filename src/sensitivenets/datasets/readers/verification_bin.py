"""The .bin files of insightface and RFW: photographs and pairs in a pickle, read without trust.

A pickle can run any code of its author. This reader admits what such files need, lists, tuples,
bytes, numbers and numpy's own containers of them, and refuses any other name before it is called.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.errors import InputError

#: Larger than any published file by a factor of ten.
MAX_BYTES = 4 << 30
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG")


@dataclass(frozen=True)
class VerificationBin:
    """Photographs side by side: images 2 k and 2 k + 1 are pair k.

    Attributes
    ----------
    images : tuple of bytes
        Each a JPEG or PNG file, undecoded.
    same : ndarray of shape (pairs,), bool
        Whether a pair is genuine.
    """

    images: tuple[bytes, ...]
    same: npt.NDArray[np.bool_]


def read_bin(path: str | Path, *, max_bytes: int = MAX_BYTES) -> VerificationBin:
    """Read a verification set such as ``lfw.bin``, ``cfp_fp.bin`` or ``African_test.bin``.

    Parameters
    ----------
    path : str or Path
        The file.
    max_bytes : int
        Refuse larger files: all photographs are read into memory.

    Returns
    -------
    VerificationBin
        Undecoded photographs and labels.

    Raises
    ------
    InputError
        If the file is missing, too large, asks for anything but lists of bytes and Booleans, or
        does not hold two photographs for each label.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.stat().st_size > max_bytes:
        raise InputError(
            f"{path}: {path.stat().st_size} bytes, expected at most {max_bytes}; if it is what you "
            "think, raise max_bytes"
        )
    try:
        with path.open("rb") as file:
            found = _Restricted(file, encoding="bytes").load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (MemoryError, RecursionError) as error:
        raise InputError(f"{path}: {type(error).__name__}; no verification set nests so") from error
    except Exception as error:  # a damaged pickle raises anything
        raise InputError(
            f"{path}: expected a pickle of (photographs, labels); {type(error).__name__}: {error}"
        ) from error
    return _checked(path, found)


class _ArrayType:
    """Stands for `numpy.ndarray`, which could be called with any shape."""


# The unpickler in Python: the one in C takes gigabytes for a memo of one far index.
class _Restricted(pickle._Unpickler):
    """Admits containers; a name that is not on the list is refused, not imported."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ADMITTED:
            return _ADMITTED[module, name]
        raise InputError(
            f"asks for {f'{module}.{name}'[:80]!r}, which a verification set has no use for; the "
            "file is not what it says, and nothing of it was run"
        )

    def persistent_load(self, pid: Any) -> Any:
        raise InputError(f"asks for the object {pid!r} outside the file; nothing of it was run")


def _latin_bytes(text: str, encoding: str | bytes) -> bytes:
    if encoding not in {"latin1", b"latin1"}:
        raise InputError(f"encodes text as {encoding!r}, expected latin1")
    return text.encode("latin1")


def _plain_dtype(kind: Any, *flags: Any) -> np.dtype[Any]:
    del flags
    dtype = np.dtype(kind if isinstance(kind, str) else str(kind, "ascii"))
    if dtype.kind not in "bui":
        raise InputError(f"holds an array of type {dtype}, expected Booleans or integers")
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
    ("numpy", "dtype"): _plain_dtype,
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


def _checked(path: Path, found: Any) -> VerificationBin:
    if not isinstance(found, (tuple, list)) or len(found) != 2:
        raise InputError(
            f"{path}: expected (photographs, labels), found {type(found).__name__} of another form"
        )
    photographs, labels = found
    if not isinstance(photographs, Sequence) or not isinstance(labels, (Sequence, np.ndarray)):
        raise InputError(f"{path}: expected two lists, found {type(photographs).__name__} first")
    images = tuple(_bytes(path, k, image) for k, image in enumerate(photographs))
    if len(images) != 2 * len(labels) or not images:
        raise InputError(
            f"{path}: expected two photographs for each label, found {len(images)} for "
            f"{len(labels)}"
        )
    if not all(isinstance(label, (bool, np.bool_, int, np.integer)) for label in labels):
        raise InputError(f"{path}: expected labels True or False")
    return VerificationBin(images, np.array([bool(label) for label in labels]))


def _bytes(path: Path, k: int, image: Any) -> bytes:
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        image = image.tobytes()
    if not isinstance(image, bytes) or not image.startswith(_SIGNATURES):
        raise InputError(f"{path}: photograph {k}: expected a JPEG or PNG file")
    return image
