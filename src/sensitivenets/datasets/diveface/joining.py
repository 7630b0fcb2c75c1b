"""Annotations joined to what there is of the photographs: a folder, or their embeddings."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.datasets.diveface.labelled_set import LabelledSet, of_table
from sensitivenets.datasets.readers.joining import places_of
from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.errors import InputError

_LABELS = ("subject", "image", "gender", "ethnicity")


@dataclass(frozen=True)
class Joined:
    """What was found of the annotated photographs, and what was not.

    Attributes
    ----------
    found : LabelledSet
        The rows that carry a label now.
    missing : pyarrow.Table
        The annotations that nothing was found for: subject, image, gender, ethnicity.
    n_unlisted : int
        Photographs or rows that no annotation names.
    """

    found: LabelledSet
    missing: pa.Table
    n_unlisted: int

    def missing_by_class(self) -> dict[str, tuple[int, int]]:
        """Count images and identities that are missing, by class, such as ``Female x Group 1``."""
        images: Counter[str] = Counter()
        identities: dict[str, set[str]] = {}
        rows = (self.missing[name].to_pylist() for name in ("subject", "gender", "ethnicity"))
        for subject, gender, group in zip(*rows, strict=True):
            name = f"{gender} x {group}"
            images[name] += 1
            identities.setdefault(name, set()).add(subject)
        return {name: (images[name], len(identities[name])) for name in sorted(images)}


def join_images(annotations: pa.Table, folder: str | Path) -> Joined:
    """Say which annotated photographs are in a folder, as ``<identity>/<file>``.

    Parameters
    ----------
    annotations : pyarrow.Table
        From `read_lists`.
    folder : str or Path
        Its subfolders are the identities.

    Returns
    -------
    Joined
        Found annotations without embeddings, in the order of the lists.

    Raises
    ------
    InputError
        If it is no folder, or holds none of the photographs.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: expected a folder of photographs, found none")
    present: list[str] = []
    for entry in os.scandir(folder):
        if entry.is_dir():
            with os.scandir(entry.path) as files:
                present += [f"{entry.name}/{file.name}" for file in files if file.is_file()]
    is_present = pc.is_in(annotations["image"], value_set=pa.array(present, pa.string()))
    found = annotations.filter(is_present)
    if not found.num_rows:
        raise InputError(
            f"{folder}: none of {annotations.num_rows} annotated photographs is there; expected "
            f"files such as {annotations['image'][0].as_py()!r} below it, found {len(present)} "
            "files in its subfolders"
        )
    missing = annotations.filter(pc.invert(is_present))
    labelled = LabelledSet(found, source=str(folder))
    return Joined(labelled, missing, len(present) - found.num_rows)


def join_embeddings(
    annotations: pa.Table, table: EmbeddingTable, column: str = "image", *, by: str = "image"
) -> Joined:
    """Give the rows of a table of embeddings the labels of the annotation lists.

    Parameters
    ----------
    annotations : pyarrow.Table
        From `read_lists`.
    table : EmbeddingTable
        With a column that says which photograph, or which identity, each row shows.
    column : str, default="image"
        That column. For photographs, paths with more in front count too; see `places_of`.
    by : {"image", "subject"}, default="image"
        What the column names. By ``subject``, every row of a listed identity is labelled, and
        missing are the annotations of identities without a row.

    Returns
    -------
    Joined
        Rows in the order of the table; ``subject``, ``gender`` and ``ethnicity`` (by image also
        ``image``) are those of the lists, other columns stay.

    Raises
    ------
    InputError
        If there is no such column, no row matches, or a photograph has several rows.
    """
    if by not in {"image", "subject"}:
        raise InputError(f"by: expected 'image' or 'subject', found {by!r}")
    if by == "image":
        keys = table.column(column).cast(pa.string())
        labels = annotations.select(list(_LABELS))
        place = places_of(keys, labels["image"].combine_chunks(), f"{table.source}: {column!r}")
    else:
        keys = table.column(column).cast(pa.string())
        first = annotations.group_by("subject", use_threads=False).aggregate([
            ("gender", "first"),
            ("ethnicity", "first"),
        ])
        labels = first.rename_columns(["subject", "gender", "ethnicity"])
        place = pc.index_in(keys.combine_chunks(), value_set=labels["subject"].combine_chunks())
    rows = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    where = f"{table.source}: column {column!r}"
    if not len(rows):
        known, seen = annotations[by][0].as_py(), table.column(column)[0].as_py()
        raise InputError(
            f"{where}: no row names an annotated {by}; expected values such as {known!r}, found "
            f"{seen!r}; name the right column, or join by {_other(by)}"
        )
    taken = labels.take(place.take(pa.array(rows)))
    if by == "image":
        _refuse_repeated(taken["image"], where)
    found = of_table(table).take(rows)
    found = found.with_columns({name: taken[name] for name in taken.column_names})
    is_missing = pc.invert(pc.is_in(annotations[by], value_set=taken[by].combine_chunks()))
    return Joined(found, annotations.filter(is_missing), len(table) - len(rows))


def _other(by: str) -> str:
    return "subject" if by == "image" else "image"


def _refuse_repeated(keys: pa.ChunkedArray, where: str) -> None:
    counts = keys.value_counts().to_pylist()
    repeated = [one for one in counts if one["counts"] > 1]
    if repeated:
        raise InputError(
            f"{where}: {repeated[0]['values']!r} has {repeated[0]['counts']} rows "
            f"({len(repeated)} such photographs), expected one face of each; embed without "
            "--all-faces or drop the others"
        )
