"""Five landmarks onto five points: the crop that face networks were trained on."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sensitivenets.faces.images import Image

Points = npt.NDArray[np.float64]

#: Eyes, nose and corners of the mouth in a crop of 112 x 112, left to right as seen (ArcFace).
TEMPLATE: Points = np.array([
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
])
_TEMPLATE_SIDE = 112


def similarity(source: Points, target: Points) -> Points:
    """Find the rotation, scale and shift that take points nearest to others (Umeyama, 1991).

    Parameters
    ----------
    source, target : ndarray of shape (n, 2)
        Points, in pixels.

    Returns
    -------
    ndarray of shape (2, 3)
        M, with ``M @ (x, y, 1)`` near the target in least squares; it never mirrors.
    """
    center, goal = source.mean(axis=0), target.mean(axis=0)
    moved, wanted = source - center, target - goal
    left, spread, right = np.linalg.svd(wanted.T @ moved)
    sign = np.array([1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = (left * sign) @ right
    scale = (spread * sign).sum() / max(float((moved**2).sum()), np.finfo(float).tiny)
    return np.column_stack([scale * rotation, goal - scale * rotation @ center])


def align(image: Image, landmarks: Points, side: int) -> Image:
    """Cut a face out so that its landmarks lie on the template.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        RGB.
    landmarks : ndarray of shape (5, 2)
        Eyes, nose and corners of the mouth, left to right as seen, in pixels.
    side : int
        Pixels of the square crop.

    Returns
    -------
    ndarray of shape (side, side, 3), uint8
        Black where the photograph ends.
    """
    import cv2

    matrix = similarity(landmarks, TEMPLATE * (side / _TEMPLATE_SIDE))
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), dtype=np.uint8)
