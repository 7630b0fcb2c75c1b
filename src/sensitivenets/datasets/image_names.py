"""Which listed photograph a path names, whatever stands in front of either."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def places_of(paths: pa.ChunkedArray, images: pa.Array) -> pa.Array:
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

    Returns
    -------
    pyarrow.Array of int32, shape of `paths`
        Position in `images`; null where there is none.
    """
    forward = pc.replace_substring(paths, "\\", "/").combine_chunks()
    depth = 1 + (pc.max(pc.count_substring(images, "/")).as_py() or 0)
    for n_parts in range(depth, 0, -1):
        listed = _last_parts(images, n_parts)
        if pc.count_distinct(listed).as_py() < len(listed):
            break
        found = pc.index_in(_last_parts(forward, n_parts), value_set=listed, skip_nulls=True)
        if found.null_count < len(found):
            return found
    return pa.nulls(len(forward), pa.int32())


def _last_parts(paths: pa.Array, n: int) -> pa.Array:
    return pc.replace_substring_regex(paths, rf"^.*/((?:[^/]+/){{{n - 1}}}[^/]+)$", r"\1")
