"""A few photographs at a time, from file to embedding."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError
from sensitivenets.faces.alignment import align, cut_box
from sensitivenets.faces.detector import Face, FaceDetector
from sensitivenets.faces.images import Image, read_image
from sensitivenets.faces.network import FaceNetwork
from sensitivenets.faces.photographs import Skipped, subject_of

#: Photographs that a thread takes at once, and faces that it gives the network at once: on one
#: thread more of them are no faster, and each thread holds as many.
BATCH = 8


@dataclass(frozen=True)
class EmbeddingPlan:
    """What to do with each photograph.

    Attributes
    ----------
    folder : Path
        Photographs are named by their path below it; a folder around them is the subject.
    detector : Path or None
        YuNet; None for crops that are aligned already.
    min_score : float
        Faces below it are left out.
    all_faces : bool
        Whether every face of a photograph is embedded, or the one it is of.
    hash_names : bool
        Whether a photograph is named by the SHA-256 of its file instead of its path.
    subject_level : int or None
        Which folder names the subject (see `subject_of`).
    """

    folder: Path
    detector: Path | None
    min_score: float = 0.6
    all_faces: bool = False
    hash_names: bool = False
    subject_level: int | None = None


@dataclass(frozen=True)
class Embedded:
    """What came of a few photographs.

    Attributes
    ----------
    n_photographs : int
        How many.
    rows : list of Table
        A row a face.
    skipped : list of Skipped
        Those that gave none.
    """

    n_photographs: int
    rows: list[pa.Table]
    skipped: list[Skipped]


@dataclass(frozen=True)
class _Crop:
    image: str
    subject: str | None
    pixels: Image
    face: Face | None


class Embedder:
    """Reads photographs, cuts their faces out and embeds them, in any thread.

    Parameters
    ----------
    plan : EmbeddingPlan
        What to do with each.
    network : FaceNetwork
        Makes the embeddings.
    """

    def __init__(self, plan: EmbeddingPlan, network: FaceNetwork) -> None:
        self.plan, self.network = plan, network
        self._own = threading.local()
        if plan.detector is not None:
            # A file that is no detector is refused here, before any photograph is read.
            FaceDetector(plan.detector, plan.min_score)

    def __call__(self, paths: list[Path]) -> Embedded:
        """Embed a few photographs, in order."""
        skipped: list[Skipped] = []
        crops: list[_Crop] = []
        batches: list[pa.Table] = []
        for path in paths:
            found = self._find(path)
            if isinstance(found, Skipped):
                skipped.append(found)
            else:
                crops += found
            # One photograph may hold a crowd.
            while len(crops) >= BATCH:
                batches.append(self._embed(crops[:BATCH], skipped))
                del crops[:BATCH]
        if crops:
            batches.append(self._embed(crops, skipped))
        return Embedded(len(paths), [rows for rows in batches if len(rows)], skipped)

    def _embed(self, crops: list[_Crop], skipped: list[Skipped]) -> pa.Table:
        """Embed crops; those without an embedding are added to what is skipped."""
        vectors = self.network([crop.pixels for crop in crops])
        known = np.flatnonzero(np.isfinite(vectors).all(axis=1) & vectors.any(axis=1))
        unknown = set(range(len(crops))) - set(known.tolist())
        skipped += [
            Skipped(crops[k].image, "the network gives it no embedding, but zeros, NaN or infinity")
            for k in sorted(unknown)
        ]
        return _rows([crops[k] for k in known], vectors[known])

    def _find(self, path: Path) -> list[_Crop] | Skipped:
        name = path.relative_to(self.plan.folder).as_posix()
        subject = subject_of(name, self.plan.subject_level)
        side = self.network.description.side
        try:
            image = read_image(path)
        except InputError as error:
            return Skipped(name, str(error))
        if self.plan.detector is None:
            pixels = cv2.resize(image, (side, side)).astype("uint8")
            return [_Crop(self._name(path, name), subject, pixels, None)]
        if not hasattr(self._own, "detector"):
            self._own.detector = FaceDetector(self.plan.detector, self.plan.min_score)
        if self.plan.all_faces:
            faces = self._own.detector(image)
        else:
            face = self._own.detector.main_face(image)
            faces = [] if face is None else [face]
        if not faces:
            return Skipped(name, "no face found")
        shown = self._name(path, name)
        return [_Crop(shown, subject, self._cut(image, face), face) for face in faces]

    def _cut(self, image: Image, face: Face) -> Image:
        wanted = self.network.description
        if wanted.crop == "box":
            return cut_box(image, face.box, wanted.side)
        return align(image, face.landmarks, wanted.side)

    def _name(self, path: Path, name: str) -> str:
        if not self.plan.hash_names:
            return name
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _rows(crops: list[_Crop], vectors: FloatArray) -> pa.Table:
    flat = pa.array(vectors.ravel())
    columns: dict[str, Any] = {
        "image": [crop.image for crop in crops],
        "subject": pa.array([crop.subject for crop in crops], pa.string()),
        "embedding": pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]),
    }
    faces = [crop.face for crop in crops if crop.face is not None]
    if faces:
        numbers = pa.list_(pa.float32())
        columns |= {
            "box": pa.array([list(face.box) for face in faces], numbers),
            "landmarks": pa.array([face.landmarks.ravel().tolist() for face in faces], numbers),
            "score": pa.array([face.score for face in faces], pa.float32()),
        }
    return pa.table(columns)
