"""Aligned faces cut out of photographs, kept as pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from sensitivenets.errors import InputError
from sensitivenets.faces.alignment import align
from sensitivenets.faces.detector import FaceDetector
from sensitivenets.faces.images import Image, read_image
from sensitivenets.progress import Progress, Steps

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Crops:
    """Faces of one size.

    Attributes
    ----------
    pixels : ndarray of shape (n, side, side, 3), uint8
        RGB.
    rows : ndarray of shape (n,), int64
        Which of the photographs each was cut from.
    """

    pixels: Image
    rows: IntArray

    def __post_init__(self) -> None:
        check_pixels(self.pixels)
        if len(self.rows) != len(self.pixels):
            raise InputError(
                f"crops: expected one row number for each of {len(self.pixels)} faces, "
                f"found {len(self.rows)}"
            )

    def __len__(self) -> int:
        return len(self.pixels)


def check_pixels(pixels: Image) -> None:
    """Refuse what is not a stack of square RGB images of eight bits.

    Raises
    ------
    InputError
        With the shape and type found.
    """
    shape = pixels.shape
    if pixels.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise InputError(
            f"pixels: expected uint8 of shape (n, side, side, 3), found {pixels.dtype} of shape "
            f"{shape}"
        )


def aligned_crops(
    images: Sequence[Path],
    detector: Path,
    *,
    side: int = 112,
    progress: Progress | None = None,
) -> Crops:
    """Cut the face that each photograph is of, onto the template of `faces.alignment`.

    Parameters
    ----------
    images : sequence of Path
        Photographs.
    detector : Path
        ONNX file of YuNet.
    side : int, default=112
        Pixels of a crop.
    progress : Progress, optional
        Told of each photograph.

    Returns
    -------
    Crops
        Without the photographs that show no face.

    Raises
    ------
    InputError
        If a photograph cannot be read, or none shows a face.
    """
    find = FaceDetector(detector)
    steps = Steps(len(images), progress)
    pixels, rows = [], []
    for row, path in enumerate(images):
        image = read_image(path)
        face = find.main_face(image)
        if face is not None:
            pixels.append(align(image, face.landmarks, side))
            rows.append(row)
        steps.advance(path.name)
    if not rows:
        raise InputError(f"no face found in any of {len(images)} photographs")
    return Crops(np.stack(pixels), np.array(rows, dtype=np.int64))
