"""Labels of a data set joined to a table of embeddings of its photographs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa

from sensitivenets.datasets.image_names import places_of
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
        If there is no such column or no row matches.
    """
    paths = table.column(column).cast(pa.string())
    images = faces.rows["image"].combine_chunks()
    place = places_of(paths, images)
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
