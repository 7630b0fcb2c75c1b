"""A folder of photographs to a table, a part at a time: bounded memory, and taken up again."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import cv2
import pyarrow as pa
import pyarrow.parquet as pq

from sensitivenets.atomic import atomic_file
from sensitivenets.embeddings.parquet_files import read_parquet, sealed, write_parquet
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.engines import Engine
from sensitivenets.errors import InputError
from sensitivenets.faces.embedder import BATCH, Embedded, Embedder, EmbeddingPlan
from sensitivenets.faces.network import Description, FaceNetwork
from sensitivenets.faces.photographs import Skipped
from sensitivenets.progress import Progress, Steps

#: Photographs in a part: what a kill can cost.
PART = 256
_PART_NAME = re.compile(r"[0-9a-f]{24}\.parquet")
_SKIPPED = b"skipped"


def embed(
    images: list[Path],
    plan: EmbeddingPlan,
    network: FaceNetwork,
    parts: Path,
    progress: Progress | None = None,
    n_threads: int | None = None,
    engine: Engine | None = None,
) -> tuple[list[Path], list[Skipped]]:
    """Embed photographs, leaving one Parquet file for each `PART` of them.

    Parts that are there and whole, of the same photographs and settings, are not made again. Each
    thread takes a few photographs from file to embedding: none waits for another.

    Parameters
    ----------
    images : list of Path
        As `find_photographs` lists them.
    plan : EmbeddingPlan
        What to do with each.
    network : FaceNetwork
        Makes the embeddings; called from several threads, so one of its own is best.
    parts : Path
        Folder of the parts; made if it is not there.
    progress : Progress, optional
        Told of each photograph.
    n_threads : int, optional
        Threads; as many as there are processors unless given.
    engine : Engine, optional
        Embeds a part at a time instead, each with a session of its own network. Its workers must
        reach the photographs and the network files; parts are written here.

    Returns
    -------
    parts : list of Path
        One a part, in the order of the photographs.
    skipped : list of Skipped
        What gave no embedding.
    """
    work = Embedder(plan, network)
    parts.mkdir(parents=True, exist_ok=True)
    steps = Steps(len(images), progress)
    made, skipped = [], []
    cut = [
        (some, parts / f"{_key(some, plan, network)}.parquet")
        for some in (images[part] for part in row_blocks(len(images), PART))
    ]
    workers = ThreadPoolExecutor(n_threads or os.cpu_count())
    try:
        with _opencv_on_one_thread():
            found = (
                _ahead(cut, workers, work)
                if engine is None
                else _mapped(cut, engine, network, plan)
            )
            for some, path, done in found:
                if done is None:
                    steps.skip(len(some))
                else:
                    _write(done, path, steps)
                made.append(path)
                skipped += _skipped_in(read_parquet(path))
    finally:
        # After an error, or an interrupt, nobody wants what waits.
        workers.shutdown(cancel_futures=True)
    return made, skipped


@contextmanager
def _opencv_on_one_thread() -> Iterator[None]:
    """Keep OpenCV from sharing each small photograph among threads that are busy already."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


# Photographs, the file of their part, and what came of them; None where the file was there.
_Done = tuple[list[Path], Path, Iterable[Embedded] | None]


def _mapped(
    cut: list[tuple[list[Path], Path]], engine: Engine, network: FaceNetwork, plan: EmbeddingPlan
) -> Iterator[_Done]:
    """Yield the parts, those that are missing embedded by an engine."""
    missing = {path for _, path in cut if not _is_whole(path)}
    # A worker elsewhere has another working directory.
    detector = None if plan.detector is None else plan.detector.absolute()
    there = replace(plan, folder=plan.folder.absolute(), detector=detector)
    work = _EmbedPart(there, network.path.absolute(), network.description, network.sha256)
    todo = [[image.absolute() for image in some] for some, path in cut if path in missing]
    done = engine.map(work, todo)
    for some, path in cut:
        yield some, path, next(done) if path in missing else None


@dataclass(frozen=True)
class _EmbedPart:
    """Embeds the photographs of a part, wherever it is called: the session is made there."""

    plan: EmbeddingPlan
    network: Path
    description: Description
    sha256: str

    def __call__(self, images: list[Path]) -> list[Embedded]:
        network = FaceNetwork(self.network, self.description, self.sha256, n_threads=1)
        work = Embedder(self.plan, network)
        with _opencv_on_one_thread():
            return [work(images[chunk]) for chunk in row_blocks(len(images), BATCH)]


def _ahead(
    cut: list[tuple[list[Path], Path]], workers: ThreadPoolExecutor, work: Embedder
) -> Iterator[_Done]:
    """Yield the parts; the next one is begun before one is waited for."""
    waiting = None
    for some, path in cut:
        chunks = [some[chunk] for chunk in row_blocks(len(some), BATCH)]
        following = (some, path, None if _is_whole(path) else workers.map(work, chunks))
        if waiting is not None:
            yield waiting
        waiting = following
    if waiting is not None:
        yield waiting


def _is_whole(path: Path) -> bool:
    """Say whether a part is there, and as it was written."""
    try:
        _skipped_in(read_parquet(path))
    except InputError:
        return False
    return True


def _skipped_in(part: pa.Table) -> list[Skipped]:
    """Return what gave no embedding in a part.

    Raises
    ------
    InputError
        If it does not say so, and is no part.
    """
    try:
        return [Skipped(*pair) for pair in json.loads(part.schema.metadata[_SKIPPED])]
    except (KeyError, ValueError, TypeError) as error:
        raise InputError("no part of a run") from error


def remove_parts(folder: Path) -> None:
    """Remove the parts of this and earlier runs, and the folder if nothing else is in it."""
    for path in folder.iterdir():
        if _PART_NAME.fullmatch(path.name):
            path.unlink()
    with suppress(OSError):
        folder.rmdir()


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
    tables = (read_parquet(part).replace_schema_metadata(facts) for part in parts)
    filled = (table for table in tables if len(table))
    first = next(filled, None)
    if first is None:
        raise InputError("embed: no photograph gave an embedding; see what was skipped")
    schema, rows = sealed(first.schema), 0
    with (
        atomic_file(out) as temporary,
        pq.ParquetWriter(temporary, schema, write_page_checksum=True) as writer,
    ):
        for table in chain([first], filled):
            writer.write_table(table.cast(schema))
            rows += len(table)
    return rows


def _write(done: Iterable[Embedded], path: Path, steps: Steps) -> None:
    """Write a part when all of it is embedded."""
    skipped: list[Skipped] = []
    batches: list[pa.Table] = []
    for some in done:
        batches += some.rows
        skipped += some.skipped
        for _ in range(some.n_photographs):
            steps.advance("photographs")
    table = pa.concat_tables(batches) if batches else pa.table({"image": pa.array([], pa.string())})
    notes = json.dumps([[s.image, s.reason] for s in skipped])
    write_parquet(table.replace_schema_metadata({_SKIPPED: notes}), path)


def _key(images: list[Path], plan: EmbeddingPlan, network: FaceNetwork) -> str:
    """Name a part by what decides its rows: photographs, settings and networks."""
    files = [
        [path.relative_to(plan.folder).as_posix(), path.stat().st_size, path.stat().st_mtime_ns]
        for path in images
    ]
    detector = plan.detector and hashlib.sha256(plan.detector.read_bytes()).hexdigest()
    decides = [files, detector, plan.min_score, plan.all_faces, plan.hash_names]
    decides.append(plan.subject_level)
    text = json.dumps([*decides, network.sha256, repr(network.description)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]
