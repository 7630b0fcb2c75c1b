"""Photographs as they are found on disks: rotated, grey, sixteen bits, broken."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sensitivenets.errors import InputError

#: RGB, shape (height, width, 3).
Image = npt.NDArray[np.uint8]

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif")
#: Pixels beyond which a file is refused: a small file may unpack to gigabytes.
MAX_PIXELS = 100_000_000


def find_images(folder: Path) -> list[Path]:
    """List the image files below a folder, sorted by path.

    Raises
    ------
    InputError
        If it is no folder, or holds none.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of photographs")
    found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not found:
        raise InputError(f"{folder}: found no image; looked for {', '.join(SUFFIXES)}")
    return found


def read_image(path: Path) -> Image:
    """Read a photograph as it is meant to be seen.

    Parameters
    ----------
    path : Path
        Any format and mode that Pillow reads; turned as its EXIF says.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        RGB.

    Raises
    ------
    InputError
        If it is no image, truncated, animated, or larger than `MAX_PIXELS`.
    """
    from PIL import Image as Pillow
    from PIL import ImageOps

    try:
        with warnings.catch_warnings(), Pillow.open(path) as opened:
            warnings.simplefilter("ignore")
            if opened.width * opened.height > MAX_PIXELS:
                raise InputError(f"{opened.width} x {opened.height} pixels are too many")
            if getattr(opened, "n_frames", 1) > 1:
                raise InputError("animated, or of several pages")
            turned = ImageOps.exif_transpose(opened)
            if turned.mode.startswith(("I", "F")):
                return _of_one_channel(np.asarray(turned, dtype=np.float64), turned.mode)
            return np.array(turned.convert("RGB"))
    except InputError:
        raise
    except Exception as error:
        # Pillow's decoders raise whatever their formats make them.
        raise InputError(f"no readable image: {error}") from error


def _of_one_channel(values: npt.NDArray[np.float64], mode: str) -> Image:
    """Bring sixteen bits, or floats in [0, 1], to eight."""
    eight = np.clip(values * 255 if mode == "F" else values / 257, 0, 255)
    return np.repeat(eight.round().astype(np.uint8)[:, :, None], 3, axis=2)
