"""The .bin files of insightface and RFW: photographs and pairs in a pickle, read without trust."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.datasets.readers.containers_pickle import ContainersUnpickler
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
            found = ContainersUnpickler(file, "a verification set", "bui", encoding="bytes").load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except (MemoryError, RecursionError) as error:
        raise InputError(f"{path}: {type(error).__name__}; no verification set nests so") from error
    except Exception as error:  # a damaged pickle raises anything
        raise InputError(
            f"{path}: expected a pickle of (photographs, labels); {type(error).__name__}: {error}"
        ) from error
    return _checked(path, found)


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
