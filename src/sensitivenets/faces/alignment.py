"""The crop that a face network was trained on: landmarks on a template, or around a box."""

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
# Of the box's shorter side: it is extended by 0.3, and 224 pixels of 256 are cut from its middle.
_VGGFACE2_SHARE = 1.3 * 224 / 256


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


def cut_box(image: Image, box: tuple[float, float, float, float], side: int) -> Image:
    """Cut a face out by its box, not turned, as networks of VGGFace2 have it (Cao et al., 2018).

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        RGB.
    box : tuple of float
        Left, top, width and height of the face, in pixels.
    side : int
        Pixels of the square crop.

    Returns
    -------
    ndarray of shape (side, side, 3), uint8
        1.14 times as wide as the box's shorter side; black where the photograph ends.
    """
    import cv2

    left, top, width, height = box
    scale = side / (_VGGFACE2_SHARE * min(width, height))
    shift = side / 2 - scale * np.array([left + width / 2, top + height / 2])
    matrix = np.column_stack([scale * np.eye(2), shift])
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), dtype=np.uint8)
