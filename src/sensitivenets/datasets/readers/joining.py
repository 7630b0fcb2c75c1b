"""Labels of a data set joined to a table of embeddings of its photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.datasets.readers.face_list import FaceList
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError


def join_embeddings(
    faces: FaceList, table: EmbeddingTable, column: str = "image"
) -> EmbeddingTable:
    """Give embeddings the labels of their photographs.

    Parameters
    ----------
    faces : FaceList
        From a reader.
    table : EmbeddingTable
        Such as `sensitivenets embed` writes: its `column` names the photograph of each row.
    column : str, default="image"
        That column. Paths may have more in front than the list's, or less; see `places_of`.

    Returns
    -------
    EmbeddingTable
        The rows that the list names, in the table's order. Labels of the list replace columns of
        the same name.

    Raises
    ------
    InputError
        If there is no such column, no row matches, or a listed name fits several photographs.
    """
    paths = table.column(column).cast(pa.string())
    images = faces.rows["image"].combine_chunks()
    place = places_of(paths, images, f"{table.source}: column {column!r}")
    rows = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    if not len(rows):
        raise InputError(
            f"{table.source}: column {column!r}: no row names a listed photograph; expected values "
            f"such as {images[0].as_py()!r}, found {paths[0].as_py()!r}"
        )
    labels = faces.rows.take(place.take(pa.array(rows)))
    found = table.take(rows)
    columns = dict(zip(found.columns.column_names, found.columns.columns, strict=True))
    columns |= dict(zip(labels.column_names, labels.columns, strict=True))
    return replace(found, columns=pa.table(columns))


def places_of(paths: pa.ChunkedArray, images: pa.Array, where: str) -> pa.Array:
    """Find each path among listed images.

    As many of the last parts are compared as the list has; if none matches, one fewer, as long as
    the list names each image only once by them. So ``/disk/train/1.jpg`` and ``1.jpg`` are both
    ``train/1.jpg``, the second only if the list has no other ``1.jpg``.

    Parameters
    ----------
    paths : pyarrow.ChunkedArray of string
        With slashes of either kind; null is found nowhere.
    images : pyarrow.Array of string
        With forward slashes.
    where : str
        Put in front of messages.

    Returns
    -------
    pyarrow.Array of int32, shape of `paths`
        Position in `images`; null where there is none.

    Raises
    ------
    InputError
        If several paths fit one listed image: they are not of one photograph.
    """
    forward = pc.replace_substring(paths, "\\", "/").combine_chunks()
    depth = 1 + (pc.max(pc.count_substring(images, "/")).as_py() or 0)
    for n_parts in range(depth, 0, -1):
        listed = _last_parts(images, n_parts)
        if pc.count_distinct(listed).as_py() < len(listed):
            break
        found = pc.index_in(_last_parts(forward, n_parts), value_set=listed, skip_nulls=True)
        if found.null_count < len(found):
            _require_one_photograph(forward, found, images, where)
            return found
    return pa.nulls(len(forward), pa.int32())


def _require_one_photograph(paths: pa.Array, found: pa.Array, images: pa.Array, where: str) -> None:
    """Refuse a listed image that fits different paths; several faces of one path are no matter."""
    fits = pa.table({"path": paths, "image": found}).filter(found.is_valid())
    pairs = fits.group_by(["image", "path"], use_threads=False).aggregate([])
    counts = pairs["image"].value_counts().to_pylist()
    shared = [one["values"] for one in counts if one["counts"] > 1]
    if shared:
        of_one = pairs.filter(pc.equal(pairs["image"], shared[0]))["path"].to_pylist()
        raise InputError(
            f"{where}: the listed image {images[shared[0]].as_py()!r} fits {len(of_one)} "
            f"photographs, such as {of_one[0]!r} and {of_one[1]!r} ({len(shared)} listed images "
            "do so); list them with their folders"
        )


def _last_parts(paths: pa.Array, n: int) -> pa.Array:
    return pc.replace_substring_regex(paths, rf"^.*/((?:[^/]+/){{{n - 1}}}[^/]+)$", r"\1")
