"""A folder of photographs to a table, a part at a time: bounded memory, and taken up again."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import atomic_file
from sensitivenets.errors import InputError
from sensitivenets.faces.alignment import align
from sensitivenets.faces.detector import Detector, Face, choose
from sensitivenets.faces.images import Image, read_image
from sensitivenets.faces.network import Network
from sensitivenets.progress import Progress, Steps

#: Photographs in a part: what a kill can cost.
PART = 256
_BATCH = 32


@dataclass(frozen=True)
class Plan:
    """What to do with each photograph.

    Attributes
    ----------
    folder : Path
        Photographs are named by their path below it; the folder they lie in is the identity.
    detector : Path or None
        YuNet; None for crops that are aligned already.
    min_score : float
        Faces below it are left out.
    all_faces : bool
        Whether every face of a photograph is embedded, or the one it is of.
    hash_names : bool
        Whether a photograph is named by the SHA-256 of its file instead of its path.
    """

    folder: Path
    detector: Path | None
    min_score: float = 0.6
    all_faces: bool = False
    hash_names: bool = False


@dataclass(frozen=True)
class Skipped:
    """A photograph that gave no embedding.

    Attributes
    ----------
    image : str
        Its path below the folder.
    reason : str
        Why.
    """

    image: str
    reason: str


@dataclass(frozen=True)
class _Crop:
    image: str
    subject: str | None
    pixels: Image
    face: Face | None


def embed(
    images: list[Path], plan: Plan, network: Network, parts: Path, progress: Progress | None = None
) -> tuple[list[Path], list[Skipped]]:
    """Embed photographs, leaving one Parquet file for each `PART` of them.

    Parts that are there, of the same photographs and settings, are not made again.

    Parameters
    ----------
    images : list of Path
        As `images.find_images` lists them.
    plan : Plan
        What to do with each.
    network : Network
        Makes the embeddings.
    parts : Path
        Folder of the parts; made if it is not there.
    progress : Progress, optional
        Told of each photograph.

    Returns
    -------
    parts : list of Path
        One a part, in the order of the photographs.
    skipped : list of Skipped
        What gave no embedding.
    """
    parts.mkdir(parents=True, exist_ok=True)
    steps = Steps(len(images), progress)
    find = _Finder(plan, network.description.side)
    made, skipped = [], []
    with ThreadPoolExecutor(2) as readers:
        for some, path, found in _ahead(images, plan, network, parts, readers, find):
            if found is None:
                steps.skip(len(some))
            else:
                _write(found, network, path, steps)
            made.append(path)
            notes = pq.read_schema(path).metadata[b"skipped"]
            skipped += [Skipped(*pair) for pair in json.loads(notes)]
    return made, skipped


def _ahead(
    images: list[Path],
    plan: Plan,
    network: Network,
    parts: Path,
    readers: ThreadPoolExecutor,
    find: _Finder,
) -> Iterator[tuple[list[Path], Path, Iterator[list[_Crop] | Skipped] | None]]:
    """Yield the parts; the photographs of the next one are read while one is embedded."""
    waiting = None
    for start in range(0, len(images), PART):
        some = images[start : start + PART]
        path = parts / f"{_key(some, plan, network)}.parquet"
        following = (some, path, None if path.exists() else readers.map(find, some))
        if waiting is not None:
            yield waiting
        waiting = following
    if waiting is not None:
        yield waiting


def join(parts: list[Path], out: Path, facts: dict[str, str]) -> int:
    """Put the parts into one table, whole or not at all.

    Parameters
    ----------
    parts : list of Path
        As `embed` returns them.
    out : Path
        Parquet file to write.
    facts : dict of str to str
        Written into its metadata.

    Returns
    -------
    int
        Rows.

    Raises
    ------
    InputError
        If there is no row at all.
    """
    filled = [part for part in parts if pq.read_metadata(part).num_rows]
    if not filled:
        raise InputError("embed: no photograph gave an embedding; see what was skipped")
    schema = pq.read_schema(filled[0]).with_metadata(facts)
    rows = 0
    with atomic_file(out) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for part in filled:
            table = pq.read_table(part).replace_schema_metadata(facts)
            writer.write_table(table)
            rows += len(table)
    return rows


class _Finder:
    """Reads a photograph and cuts its faces out, in any thread."""

    def __init__(self, plan: Plan, side: int) -> None:
        self._plan, self._side = plan, side
        self._own = threading.local()
        if plan.detector is not None:
            # A file that is no detector is refused here, before any photograph is read.
            Detector(plan.detector, plan.min_score)

    def __call__(self, path: Path) -> list[_Crop] | Skipped:
        name = path.relative_to(self._plan.folder).as_posix()
        subject = _subject(name)
        try:
            image = read_image(path)
        except InputError as error:
            return Skipped(name, str(error))
        if self._plan.detector is None:
            size = (self._side, self._side)
            pixels = cv2.resize(image, size).astype("uint8")
            return [_Crop(self._name(path, name), subject, pixels, None)]
        if not hasattr(self._own, "detector"):
            self._own.detector = Detector(self._plan.detector, self._plan.min_score)
        faces = self._own.detector(image)
        if not faces:
            return Skipped(name, "no face found")
        taken = faces if self._plan.all_faces else [choose(faces, image)]
        shown = self._name(path, name)
        side = self._side
        return [_Crop(shown, subject, align(image, f.landmarks, side), f) for f in taken]

    def _name(self, path: Path, name: str) -> str:
        if not self._plan.hash_names:
            return name
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _write(
    found: Iterable[list[_Crop] | Skipped], network: Network, path: Path, steps: Steps
) -> None:
    """Embed what was found of a part, and write it."""
    skipped: list[Skipped] = []
    crops: list[_Crop] = []
    batches: list[pa.Table] = []
    for one in found:
        if isinstance(one, Skipped):
            skipped.append(one)
        else:
            crops += one
        steps.advance("photographs")
        # As soon as there is a batch: the threads go on reading meanwhile.
        while len(crops) >= _BATCH:
            batches.append(_rows(crops[:_BATCH], network))
            del crops[:_BATCH]
    if crops:
        batches.append(_rows(crops, network))
    table = pa.concat_tables(batches) if batches else pa.table({"image": pa.array([], pa.string())})
    notes = json.dumps([[s.image, s.reason] for s in skipped])
    with atomic_file(path) as temporary:
        pq.write_table(table.replace_schema_metadata({"skipped": notes}), temporary)


def _rows(crops: list[_Crop], network: Network) -> pa.Table:
    vectors = network([crop.pixels for crop in crops])
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


def _subject(image: str) -> str | None:
    """Return the folder a photograph lies in; None for one at the top."""
    folder, slash, _ = image.rpartition("/")
    return folder.rpartition("/")[2] if slash else None


def _key(images: list[Path], plan: Plan, network: Network) -> str:
    """Name a part by what decides its rows: photographs, settings and networks."""
    files = [
        [path.relative_to(plan.folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns]
        for path in images
    ]
    detector = plan.detector and hashlib.sha256(plan.detector.read_bytes()).hexdigest()
    decides = [files, detector, plan.min_score, plan.all_faces, plan.hash_names]
    text = json.dumps([*decides, network.sha256, repr(network.description)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
