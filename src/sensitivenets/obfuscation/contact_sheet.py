"""Faces before and after, side by side, as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sensitivenets.atomic import atomic_file
from sensitivenets.errors import InputError
from sensitivenets.faces.images import Image
from sensitivenets.obfuscation.crops import check_pixels

_GAP = 4
# The change is drawn larger than it is, around grey.
_GAIN = 2


def contact_sheet(before: Image, after: Image, path: Path) -> None:
    """Write a picture of three rows: faces before, after, and twice the change on grey.

    Parameters
    ----------
    before, after : ndarray of shape (n, side, side, 3), uint8
        The same faces, in order.
    path : Path
        PNG to write or replace, whole or not at all.

    Raises
    ------
    InputError
        If the two differ in shape, or there is no face.
    """
    import cv2

    check_pixels(before)
    check_pixels(after)
    if before.shape != after.shape or not len(before):
        raise InputError(
            f"contact sheet: expected as many faces after as before, and one at least; found "
            f"{before.shape} and {after.shape}"
        )
    change = _GAIN * (after.astype(np.int16) - before.astype(np.int16)) + 128
    rows = (before, after, change.clip(0, 255).astype(np.uint8))
    sheet = np.concatenate([_row(faces) for faces in rows])[_GAP:]
    written, data = cv2.imencode(".png", np.ascontiguousarray(sheet[:, :, ::-1]))
    assert written
    with atomic_file(path) as temporary:
        temporary.write_bytes(data.tobytes())


def _row(faces: Image) -> Image:
    side = faces.shape[1]
    framed = np.full((len(faces), side + _GAP, side + _GAP, 3), 255, dtype=np.uint8)
    framed[:, _GAP:, _GAP:] = faces
    row: Image = np.concatenate(list(framed), axis=1)[:, _GAP:]
    return row
