"""Photographs as cameras, phones and people write them: turned, grey, deep, framed, broken."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sensitivenets.errors import InputError
from sensitivenets.faces.colours import eight_bits, in_srgb, sixteen_bit_colours

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

#: RGB, shape (height, width, 3).
Image = npt.NDArray[np.uint8]

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".webp", ".tif", ".tiff"),
    *(".gif", ".avif", ".ppm", ".pgm", ".pbm", ".pnm"),
)
#: Pixels beyond which a file is refused: a small file may unpack to gigabytes.
MAX_PIXELS = 100_000_000

# Pillow's other readers are not for photographs, and one of them starts Ghostscript.
_FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF", "GIF", "AVIF", "PPM")
_ORIENTATION, _PHOTOMETRIC, _PAGE_KIND = 0x0112, 262, 254
# Of a page of TIFF: a smaller copy of another, or a mask.
_NO_PHOTOGRAPH = 0b101


def read_image(path: Path) -> Image:
    """Read a photograph as it is meant to be seen.

    Parameters
    ----------
    path : Path
        JPEG, PNG, BMP, WebP, TIFF, GIF, AVIF or PNM, whatever its name, in any mode that Pillow
        reads, or with 16 bits a colour. It is turned as its EXIF says and brought to sRGB by its
        profile. Of what a camera puts into one file, the photograph is read: not its gain map,
        depth, second view or thumbnail.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        RGB. Where more than eight bits are there, as many as are used become eight.

    Raises
    ------
    InputError
        If it is no image, truncated, animated, or larger than `MAX_PIXELS`.
    """
    from PIL import Image as Pillow

    Pillow.init()
    formats = [name for name in _FORMATS if name in Pillow.OPEN]
    try:
        with warnings.catch_warnings():
            # What Pillow warns of, in opening or reading, is looked at here or of no matter.
            warnings.simplefilter("ignore")
            with Pillow.open(path, formats=formats) as opened:
                if opened.width * opened.height > MAX_PIXELS:
                    raise InputError(f"{opened.width} x {opened.height} pixels are too many")
                page = _find_photograph(opened)
                return _turned(_as_rgb(opened, path, page), _orientation(opened))
    except InputError:
        raise
    except Exception as error:
        # Pillow's decoders raise whatever their formats make them.
        raise InputError(f"no readable image: {error}") from error


def _find_photograph(opened: PillowImage) -> int:
    """Go to the one photograph of a file and return its page; refuse several."""
    n_pages = int(getattr(opened, "n_frames", 1))
    # Behind a JPEG lie gain maps, depth and second views; the first is the one to be seen.
    if n_pages == 1 or opened.format == "MPO":
        return 0
    pages = _pages_of_tiff(opened, n_pages) if opened.format == "TIFF" else []
    if len(pages) != 1:
        raise InputError("animated, or of several pages")
    opened.seek(pages[0])
    return pages[0]


def _pages_of_tiff(opened: PillowImage, n_pages: int) -> list[int]:
    """Return the pages that are no smaller copies or masks; no more than two."""
    found: list[int] = []
    for page in range(n_pages):
        opened.seek(page)
        if not int(_tag(opened, _PAGE_KIND, 0)) & _NO_PHOTOGRAPH:
            found.append(page)
        if len(found) > 1:
            break
    return found


def _as_rgb(opened: PillowImage, path: Path, page: int) -> Image:
    from PIL import Image as Pillow

    if any(";16" in str(tile[3]) for tile in getattr(opened, "tile", ())) and not _is_number(
        opened.mode
    ):
        # Of 16 bits a colour Pillow keeps the upper eight, which may be empty.
        colours = Pillow.fromarray(eight_bits(sixteen_bit_colours(path, page)))
        return in_srgb(colours, opened.info.get("icc_profile"))
    if _is_number(opened.mode):
        grey = eight_bits(np.asarray(opened, dtype=np.float64), real=opened.mode.startswith("F"))
        # Pillow turns this around for eight bits alone.
        if opened.format == "TIFF" and _tag(opened, _PHOTOMETRIC, 1) == 0:
            grey = 255 - grey
        return np.repeat(grey[:, :, None], 3, axis=2)
    return in_srgb(opened, opened.info.get("icc_profile"))


def _is_number(mode: str) -> bool:
    return mode.startswith(("I", "F"))


def _tag(opened: PillowImage, number: int, otherwise: int) -> int:
    value = getattr(opened, "tag_v2", {}).get(number, otherwise)
    return int(value[0] if isinstance(value, tuple) else value)


def _orientation(opened: PillowImage) -> int:
    """Read how a photograph is turned; a damaged EXIF says nothing."""
    try:
        return int(opened.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001
        # Whatever its parser stumbles over, the pixels are there.
        return 1


def _turned(image: Image, orientation: int) -> Image:
    """Turn an image as one of the eight orientations of EXIF says."""
    if orientation in {5, 6, 7, 8}:
        image = image.transpose(1, 0, 2)
    if orientation in {3, 4, 7, 8}:
        image = image[::-1]
    if orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    return np.ascontiguousarray(image)
