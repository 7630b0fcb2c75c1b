"""Faces in a photograph, by OpenCV's YuNet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sensitivenets.errors import InputError
from sensitivenets.faces.alignment import Points
from sensitivenets.faces.images import Image

# Photographs are shrunk to this before faces are looked for: YuNet finds faces of 10 to 300 pixels.
_LONGEST_SIDE = 640
# A first look for the one face a photograph is of: a quarter of the pixels, and of the time.
_GLANCE_SIDE = 320
# Pixels, in that look, of a face that needs no second one. On CelebA landmarks serve as well at 43
# pixels across as the stored ones (mean cosine 0.93), and worse at 33 (0.91) and 25 (0.87).
_CLEAR_AREA = 40 * 40


@dataclass(frozen=True)
class Face:
    """One face.

    Attributes
    ----------
    box : tuple of float
        Left, top, width and height, in pixels of the photograph.
    landmarks : ndarray of shape (5, 2)
        Eyes, nose and corners of the mouth, left to right as seen.
    score : float
        How sure the detector is, in [0, 1].
    """

    box: tuple[float, float, float, float]
    landmarks: Points
    score: float


class FaceDetector:
    """YuNet, read from a file; not for several threads at once.

    Parameters
    ----------
    path : Path
        ONNX file of YuNet.
    min_score : float
        Faces below it are left out.
    """

    def __init__(self, path: Path, min_score: float = 0.6) -> None:
        import cv2

        if not path.is_file():
            raise InputError(f"{path}: no such file; expected the ONNX file of YuNet")
        try:
            self._yunet = cv2.FaceDetectorYN.create(str(path), "", (320, 320), min_score)
            # Another network is read without complaint, and fails on its first photograph.
            self._find(np.zeros((320, 320, 3), dtype=np.uint8), 320)
        except cv2.error as error:
            said = " ".join(str(error).split())
            raise InputError(f"{path}: expected the ONNX file of YuNet; OpenCV: {said}") from error

    def __call__(self, image: Image) -> list[Face]:
        """Find the faces of an RGB photograph, the surest first."""
        return self._find(image, _LONGEST_SIDE)

    def main_face(self, image: Image) -> Face | None:
        """Find the face that an RGB photograph is of, as `choose` has it.

        Most photographs are of a face so large that it shows in a small picture. Only where
        none does, or one so small or far aside that a face hidden there might come before it,
        is the photograph looked at as `__call__` does.

        Parameters
        ----------
        image : ndarray of shape (height, width, 3)
            The photograph.

        Returns
        -------
        Face or None
            None if no face is found.
        """
        longest = max(image.shape[:2])
        if longest > _GLANCE_SIDE and (faces := self._find(image, _GLANCE_SIDE)):
            face = choose(faces, image)
            if _prominence(face, image) >= _CLEAR_AREA * (longest / _GLANCE_SIDE) ** 2:
                return face
        faces = self(image)
        return choose(faces, image) if faces else None

    def _find(self, image: Image, longest_side: int) -> list[Face]:
        import cv2

        shrink = min(1.0, longest_side / max(image.shape[:2]))
        size = [max(1, round(n * shrink)) for n in image.shape[1::-1]]
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA) if shrink < 1 else image
        self._yunet.setInputSize(size)
        _, rows = self._yunet.detect(np.ascontiguousarray(small[:, :, ::-1]))
        found = [] if rows is None else [_face(row.astype(np.float64), shrink) for row in rows]
        return sorted(found, key=lambda face: -face.score)


def _face(row: Points, shrink: float) -> Face:
    left, top, width, height = (float(value) / shrink for value in row[:4])
    landmarks = row[4:14].reshape(5, 2) / shrink
    return Face((left, top, width, height), landmarks, float(row[14]))


def choose(faces: Sequence[Face], image: Image) -> Face:
    """Choose the face a photograph is of: large, and near the middle.

    Parameters
    ----------
    faces : sequence of Face
        At least one.
    image : ndarray of shape (height, width, 3)
        The photograph.

    Returns
    -------
    Face
        The one with the largest area less twice its squared distance from the middle.
    """
    return max(faces, key=lambda face: _prominence(face, image))


def _prominence(face: Face, image: Image) -> float:
    left, top, width, height = face.box
    away = np.array([left + width / 2, top + height / 2]) - np.array(image.shape[1::-1]) / 2
    return float(width * height - 2 * (away @ away))
