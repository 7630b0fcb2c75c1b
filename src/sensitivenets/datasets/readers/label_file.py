"""Labels of your own: a file with a line a photograph."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sensitivenets.datasets.readers.face_list import FaceList, safe_path
from sensitivenets.embeddings.text_files import read_csv
from sensitivenets.errors import InputError, some_of


def read_label_file(path: str | Path) -> FaceList:
    """Read a .csv whose column ``image`` names photographs, and whose others label them.

    Parameters
    ----------
    path : str or Path
        With a header. An empty field is null.

    Returns
    -------
    FaceList
        ``image`` as text, the other columns as `read_csv` has them: numbers or text.

    Raises
    ------
    InputError
        If it cannot be read, has no column ``image``, no line, or a photograph twice.
    """
    path = Path(path)
    rows = read_csv(path, text=["image"])
    if "image" not in rows.column_names:
        raise InputError(
            f"{path}: no column 'image', which names the photographs; it has "
            f"{some_of(rows.column_names)}"
        )
    seen: dict[str | None, int] = {}
    images = []
    for k, image in enumerate(rows["image"].to_pylist(), start=1):
        if image is None:
            raise InputError(f"{path}, row {k}: expected the name of a photograph, found none")
        if seen.setdefault(image, k) != k:
            raise InputError(f"{path}, rows {seen[image]} and {k}: {image!r} is listed twice")
        images.append(safe_path(image, f"{path}, row {k}"))
    if not images:
        raise InputError(f"{path}: expected a line for each photograph, found none")
    place = rows.column_names.index("image")
    return FaceList(rows.set_column(place, "image", pa.array(images)), None)
