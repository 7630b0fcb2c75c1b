"""``sensitivenets embed``: a folder of photographs to a table of embeddings."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from sensitivenets.cli.engine_options import EngineOptions
from sensitivenets.cli.output import print_json, print_line
from sensitivenets.cli.selection import refuse_table
from sensitivenets.errors import InputError, require_int, require_real

# Files of one kind that are named here; all of them are in --json.
_SHOWN = 3
_HERE = EngineOptions()


def embed(
    photos: Path,
    /,
    *,
    out: Path,
    model: Path,
    detector: Path | None = None,
    aligned: bool = False,
    network: str = "plain",
    sha256: str | None = None,
    all_faces: bool = False,
    hash_names: bool = False,
    subject_level: int | None = None,
    min_score: float = 0.6,
    n_threads: int | None = None,
    overwrite: bool = False,
    json: bool = False,
    work: EngineOptions = _HERE,
) -> None:
    """Find the faces of photographs, align them, and embed them with a network of yours.

    The folder that a photograph lies in is its subject. A run that was interrupted goes on where
    it was. Files that cannot be read or show no face, and links that lead out of the folder, are
    named and left out.

    Parameters
    ----------
    photos
        Folder of photographs, searched with its subfolders.
    out
        Parquet file to write.
    model
        ONNX file of the face network.
    detector
        ONNX file of YuNet, the face detector.
    aligned
        The photographs are aligned crops of faces: look for none.
    network
        What the network expects: plain (pixels as they are), arcface, vggface2_resnet50, or a
        JSON or TOML file.
    sha256
        Refuse the network if it has another checksum.
    all_faces
        Embed every face of a photograph instead of the one it is of.
    hash_names
        Name a photograph by the SHA-256 of its file: paths may say who it shows.
    subject_level
        Which folder names the subject: 1 for the outermost below PHOTOS, 2 for the next. Unless
        given, it is the folder that a photograph lies in, and must be clear.
    min_score
        Leave out faces that the detector is less sure of.
    n_threads
        Threads, each with photographs of its own; one a processor unless given.
    overwrite
        Replace a file that is already there.
    json
        Write the result as JSON.
    work
        Who embeds; processes and ray take 256 photographs at a time.
    """
    refuse_table(out, overwrite=overwrite)
    if n_threads is not None:
        require_int("--n-threads", n_threads, minimum=1)
    if work.engine == "process" and work.workers is not None:
        raise InputError("--workers: is for --engine processes; without it, give --n-threads")
    if work.engine != "process" and n_threads is not None:
        raise InputError("--n-threads: is for this process; with --engine, a part has one thread")
    require_real("--min-score", min_score, minimum=0, maximum=1)
    if subject_level is not None:
        require_int("--subject-level", subject_level, minimum=1)
    if (detector is None) != aligned:
        raise InputError("expected --detector, or --aligned for crops; give one of them")
    for needed in ("cv2", "onnxruntime", "PIL"):
        if importlib.util.find_spec(needed) is None:
            raise InputError("embedding photographs needs: pip install 'sensitivenets[faces]'")
    import cv2

    from sensitivenets.faces import pipeline
    from sensitivenets.faces.embedder import EmbeddingPlan
    from sensitivenets.faces.network import FaceNetwork, read_description
    from sensitivenets.faces.photographs import (
        by_reason,
        find_photographs,
        require_clear_subjects,
    )
    from sensitivenets.progress import progress_bar

    # OpenCV says on stderr, once a thread, that it runs on the processor.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    described = read_description(network)
    # Threads have a photograph each, so that a call of the network needs one.
    reader = FaceNetwork(model, described, sha256, n_threads=1)
    found = find_photographs(photos)
    images = found.images
    require_clear_subjects((p.relative_to(photos).as_posix() for p in images), subject_level)
    plan = EmbeddingPlan(photos, detector, min_score, all_faces, hash_names, subject_level)
    engine = None if work.engine == "process" else work.make()
    parts = out.with_name(f"{out.name}.parts")
    with progress_bar("embed", rate=True) as progress:
        made, skipped = pipeline.embed(images, plan, reader, parts, progress, n_threads, engine)
    facts = {"network_sha256": reader.sha256, "network_licence": described.licence}
    rows = pipeline.join(made, out, facts)
    pipeline.remove_parts(parts)
    if json:
        without = {one.image: one.reason for one in (*skipped, *found.left_out)}
        print_json({"table": str(out), "rows": rows, "images": len(images), "skipped": without})
        return
    for one in skipped:
        print_line(f"skipped {one.image}: {one.reason}")
    for reason, names in by_reason(found.left_out).items():
        more = ", ..." if len(names) > _SHOWN else ""
        print_line(f"left out {len(names)}, {reason}: {', '.join(names[:_SHOWN])}{more}")
    print_line(f"{rows} faces of {len(images)} photographs, {len(skipped)} skipped: {out}")
