"""CelebA's table by a second network: dlib's face recognition ResNet, 128 features.

    pip install dlib-bin face-recognition-models     # not a dependency of the library
    SENSITIVENETS_DATA=... python experiments/dlib_embeddings.py dlib.parquet

Reads celeba.parquet and celeba_images. 0.13 s a photograph on one core: the wheel has no BLAS.
"""

from __future__ import annotations

import argparse
import os
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from sensitivenets.embeddings import FloatArray, read_table, write_table
from sensitivenets.faces.images import Image, read_image
from sensitivenets.progress import progress_bar

# dlib's detector was made for faces of 80 pixels; CelebA's crops at half size show 45.
_ENLARGED = 4
# Left, top, right and bottom as shares of a crop: the median of the detector's own boxes.
_USUAL_BOX = (0.264, 0.399, 0.770, 0.812)


class Dlib:
    """dlib's detector, five landmarks, 150 x 150 chip and descriptor of a photograph."""

    def __init__(self) -> None:
        import dlib

        package = find_spec("face_recognition_models")
        if package is None or package.origin is None:
            raise SystemExit("expected face-recognition-models beside dlib: pip install it")
        models = Path(package.origin).parent / "models"
        self._dlib = dlib
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self._network = dlib.face_recognition_model_v1(
            str(models / "dlib_face_recognition_resnet_model_v1.dat")
        )

    def __call__(self, image: Image) -> tuple[FloatArray, bool]:
        """Return a unit row, and whether the detector found the face."""
        size = [_ENLARGED * side for side in image.shape[1::-1]]
        large = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC)
        faces = self._detector(large, 0)
        usual = [round(share * side) for share, side in zip(_USUAL_BOX, 2 * size, strict=True)]
        box = max(faces, key=lambda face: face.area()) if faces else self._dlib.rectangle(*usual)
        chip = self._dlib.get_face_chip(large, self._landmarks(large, box), size=150)
        row = np.array(self._network.compute_face_descriptor(chip), dtype=np.float32)
        return row / np.linalg.norm(row), len(faces) > 0


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    table, embed = read_table(folder / "celeba.parquet"), Dlib()
    rows, n_found = [], 0
    with progress_bar("embed", rate=True) as progress:
        for name in table.column("image").to_pylist():
            row, found = embed(read_image(folder / "celeba_images" / f"{name:06d}.jpg"))
            rows.append(row)
            n_found += found
            progress(len(rows), len(table), f"{name:06d}.jpg")
    write_table(table.with_vectors(np.stack(rows)), out)
    print(f"{out}: {len(rows)} faces, {n_found} found by dlib, the others cut by the usual box")


if __name__ == "__main__":
    main()
