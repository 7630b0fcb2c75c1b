"""Opening a table for labelling: its labels, names, pictures and store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sensitivenets.annotation.images import RowImages
from sensitivenets.annotation.labelling import Labelling
from sensitivenets.annotation.proposals import IntArray, Proposer
from sensitivenets.annotation.store import LabellingTask, LabelStore
from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.embeddings.fingerprint import fingerprint
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.errors import InputError

#: Classes that the page has number keys for.
MAX_CLASSES = 9


@dataclass(frozen=True)
class LabellingOptions:
    """What to label, and with what help.

    Attributes
    ----------
    attribute : str
        The column; need not be in the table.
    classes : sequence of str
        Classes beyond those that the column has.
    identity : str or None
        Column of identities: rows of one never teach the classifier about each other.
    images : Path or None
        Folder of pictures.
    image_column : str or None
        Column that names the picture of a row; ``image`` unless given.
    random_state : int
        Decides the random checks, and the classifier's folds.
    """

    attribute: str
    classes: Sequence[str] = ()
    identity: str | None = None
    images: Path | None = None
    image_column: str | None = None
    random_state: int = 0


def open_labelling(table: EmbeddingTable, choice: LabellingOptions, labels: Path) -> Labelling:
    """Open a table for labelling.

    Parameters
    ----------
    table : EmbeddingTable
        The embeddings, and whatever labels there are.
    choice : LabellingOptions
        What to label.
    labels : Path
        The store of decisions; made if it is not there.

    Returns
    -------
    Labelling
        Not learning yet; see `Labelling.start`.

    Raises
    ------
    InputError
        If there are fewer than two or more than nine classes, a column is missing, the store
        belongs to another table, or no row has a picture.
    """
    known: tuple[str, ...] = ()
    if choice.attribute in table.columns.column_names:
        known = table.labels(choice.attribute).classes
    classes = tuple(dict.fromkeys((*known, *choice.classes)))
    if not 2 <= len(classes) <= MAX_CLASSES:
        raise InputError(
            f"{table.source}: expected 2 to {MAX_CLASSES} classes of {choice.attribute!r}, found "
            f"{len(classes)}; name them, such as --class Female --class Male"
        )
    names, keys = _row_names(table, choice)
    images = None
    if choice.images is not None:
        images = RowImages(choice.images, keys, _boxes(table))
    groups = None if choice.identity is None else table.labels(choice.identity).codes
    digest = fingerprint(table.vectors)["digest"]
    task = LabellingTask(choice.attribute, classes, len(table), digest, choice.random_state)
    store = LabelStore(labels, task, lambda: _sha256(table.vectors))
    given = _given(table, choice.attribute, store.task.classes)
    proposer = Proposer(table.vectors, groups, choice.random_state)
    return Labelling(store, given, proposer, names, images)


def _sha256(vectors: FloatArray) -> str:
    return hashlib.sha256(np.ascontiguousarray(vectors).data).hexdigest()


def _given(table: EmbeddingTable, attribute: str, classes: tuple[str, ...]) -> IntArray:
    """Read the table's own labels as indices into the classes of the store."""
    if attribute not in table.columns.column_names:
        return np.full(len(table), UNLABELLED, dtype=np.int64)
    labels = table.labels(attribute)
    places = np.array([*map(classes.index, labels.classes), UNLABELLED], dtype=np.int64)
    return np.asarray(places[labels.codes])


def _row_names(table: EmbeddingTable, choice: LabellingOptions) -> tuple[list[str], list[Any]]:
    """Return what to call each row, and what to look for among the files."""
    column = choice.image_column or "image"
    if choice.image_column is None and column not in table.columns.column_names:
        if choice.images is not None:
            raise InputError(
                f"{table.source}: no column 'image' that names each row's picture; name it with "
                "--image"
            )
        keys: list[Any] = list(range(len(table)))
        return [f"row {row}" for row in keys], keys
    keys = table.column(column).to_pylist()
    return [f"row {row}" if key is None else str(key) for row, key in enumerate(keys)], keys


def _boxes(table: EmbeddingTable) -> list[tuple[float, float, float, float] | None] | None:
    """Read where the faces are, if the table comes from ``sensitivenets embed``."""
    if "box" not in table.columns.column_names:
        return None
    boxes = table.column("box").to_pylist()
    whole = all(box is None or (isinstance(box, list) and len(box) == 4) for box in boxes)
    return [None if box is None else tuple(box) for box in boxes] if whole else None
