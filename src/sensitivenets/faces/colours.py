"""Values of pixels brought to eight bits of sRGB: deep ones, real ones, those with a profile."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# Real values are fractions of white, of which highlights may be several, or run to 255.
_BRIGHTEST_FRACTION = 8.0


def eight_bits(values: npt.NDArray[Any], *, real: bool = False) -> npt.NDArray[np.uint8]:
    """Bring deeper values to eight bits, by the bits that are used.

    Cameras write 10, 12 or 14 bits into 16: taken for 16 they are nearly black.

    Parameters
    ----------
    values : ndarray
        Whole numbers, or with `real` any: fractions of white up to 8, else whole numbers.
    real : bool, default=False
        Whether they may be fractions.

    Returns
    -------
    ndarray of the shape of `values`, uint8
        Negative values and NaN are black.
    """
    known = np.nan_to_num(values.astype(np.float64, copy=False), posinf=0.0)
    top = float(known.max(initial=0.0))
    full = 1.0 if real and top <= _BRIGHTEST_FRACTION else float(2 ** _bits(top) - 1)
    return np.asarray(np.clip(known * (255 / full), 0, 255).round(), dtype=np.uint8)


def _bits(top: float) -> int:
    return max(8, int(top).bit_length())


def sixteen_bit_colours(path: Path, page: int) -> npt.NDArray[np.uint16]:
    """Read an image of 16 bits a colour with all its bits, shape (height, width, 3).

    Raises
    ------
    InputError
        If OpenCV cannot read it, or is not there.
    """
    try:
        import cv2
    except ImportError as error:
        raise InputError(
            "16 bits a colour need OpenCV: pip install 'sensitivenets[faces]'"
        ) from error
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    done, pages = cv2.imdecodemulti(content, cv2.IMREAD_UNCHANGED)
    if not done or page >= len(pages):
        raise InputError("no readable image: OpenCV cannot read its 16 bits a colour")
    found = np.asarray(pages[page])
    if found.ndim == 2:
        found = np.repeat(found[:, :, None], 3, axis=2)
    return np.asarray(found[:, :, 2::-1], dtype=np.uint16)


def in_srgb(image: PillowImage, profile: bytes | None) -> npt.NDArray[np.uint8]:
    """Bring an image of eight bits to sRGB, shape (height, width, 3).

    Parameters
    ----------
    image : Image
        Of any mode of eight bits; without transparency afterwards.
    profile : bytes, optional
        Its ICC profile; one that is damaged, or of other colours than it has, says nothing.
    """
    from PIL import ImageCms

    # Decoded first: an error from here on is one of the profile, not of the image.
    image.load()
    try:
        if profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            plain = _of_space(image, source.profile.xcolor_space.strip())
            if plain is not None and not _is_srgb(source):
                target = ImageCms.createProfile("sRGB")
                made = ImageCms.profileToProfile(plain, source, target, outputMode="RGB")
                if made is not None:
                    return np.array(made)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass
    return np.array(image.convert("RGB"))


def _of_space(image: PillowImage, space: str) -> PillowImage | None:
    """Return an image in the mode that a profile of a colour space is for; None if it is not."""
    colour = image.mode not in {"1", "L", "LA", "CMYK", "LAB"}
    if space == "RGB" and colour:
        return image.convert("RGB")
    if space == "GRAY" and image.mode in {"L", "LA"}:
        return image.convert("L")
    return image if (space, image.mode) in {("CMYK", "CMYK"), ("Lab", "LAB")} else None


def _is_srgb(profile: Any) -> bool:
    return "sRGB" in (profile.profile.profile_description or "")
