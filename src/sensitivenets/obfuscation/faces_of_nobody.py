"""Photographs of nobody: the face is made anew of other people's, and keeps a class of its own.

After k-Same-Select (Gross, Airoldi, Malin and Sweeney, Integrating utility into face
de-identification, PET 2005): a face is replaced by the mean of k faces that share what is to be
kept, such as a smile. There a face is replaced by the mean of those nearest to it, the same for k
people, which says in which k somebody is; here the k are drawn at random for each picture, so that
who it shows has no part in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError, require_int
from sensitivenets.faces.images import Image
from sensitivenets.obfuscation.crops import check_pixels


class Decider(Protocol):
    """What says of which class a face is, such as a trained `PixelClassifier`."""

    def scores(self, pixels: Image) -> FloatArray:
        """Return a score of each class, shape (n, classes)."""
        ...


@dataclass(frozen=True)
class Donors:
    """People of whose faces others are made.

    Attributes
    ----------
    pixels : ndarray of shape (n, side, side, 3), uint8
        Aligned faces.
    subjects : Labels
        Who is shown; rows without a name are left out.
    kept : Labels
        The class to keep, such as whether somebody smiles; rows without one are left out.
    """

    pixels: Image
    subjects: Labels
    kept: Labels

    def __post_init__(self) -> None:
        check_pixels(self.pixels)
        sizes = {len(self.pixels), len(self.subjects), len(self.kept)}
        if len(sizes) != 1:
            raise InputError(
                f"donors: expected a subject and a class for each face, found {sorted(sizes)}"
            )

    def rows_of(self, code: int) -> np.typing.NDArray[np.int64]:
        """Return a row of each person who has one in a class: his first."""
        rows = np.flatnonzero(self.subjects.labelled & (self.kept.codes == code))
        return rows[np.unique(self.subjects.codes[rows], return_index=True)[1]]


@dataclass(frozen=True)
class Remade:
    """Faces of nobody.

    Attributes
    ----------
    pixels : ndarray of shape (n, side, side, 3), uint8
        One for each picture.
    decided : ndarray of shape (n,), int64
        The class that was kept: all of the picture that is in its new face.
    donors : ndarray of shape (n, k), int64
        Rows of the donors that each is made of.
    """

    pixels: Image
    decided: np.typing.NDArray[np.int64]
    donors: np.typing.NDArray[np.int64]


def faces_of_nobody(
    pixels: Image, donors: Donors, decider: Decider, *, k: int = 16, random_state: int = 0
) -> Remade:
    """Replace each face by the mean of k people, drawn among those of the class it is decided for.

    The new face depends on the picture by that decision alone. So no matcher, however trained,
    finds more of who it shows than the decision says (a smile says some: who smiles often smiles
    again). Nothing else of the picture is kept either: no pose, no light.

    Parameters
    ----------
    pixels : ndarray of shape (n, side, side, 3), uint8
        Aligned faces, as large as those of the donors; not changed.
    donors : Donors
        Other people.
    decider : Decider
        Says of which class a face is, in the order of the donors' classes.
    k : int, default=16
        People that a face is made of, at least 2: the fewer, the more of them can be recognised.
    random_state : int, default=0
        Draws them. Whoever knows it knows the donors, and no more of the picture.

    Returns
    -------
    Remade
        See there.

    Raises
    ------
    InputError
        If faces differ in size, the decider has other classes, or a class has fewer than k people.
    """
    require_int("k", k, minimum=2)
    check_pixels(pixels)
    if pixels.shape[1:] != donors.pixels.shape[1:]:
        raise InputError(
            f"pixels: expected faces of {donors.pixels.shape[1]} pixels a side as the donors', "
            f"found {pixels.shape[1]}; cut both alike"
        )
    scores = decider.scores(pixels)
    classes = donors.kept.classes
    if scores.shape != (len(pixels), len(classes)):
        raise InputError(
            f"decider: expected scores of {len(classes)} classes ({', '.join(classes)}) for each "
            f"of {len(pixels)} faces, found an array of shape {scores.shape}"
        )
    decided = np.asarray(scores.argmax(axis=1), dtype=np.int64)
    rows = [donors.rows_of(code) for code in range(len(classes))]
    for name, people in zip(classes, rows, strict=True):
        if len(people) < k:
            raise InputError(
                f"donors: expected at least k = {k} people of {donors.kept.name} {name!r}, found "
                f"{len(people)}; give more, or a smaller k"
            )
    rng = np.random.default_rng(random_state)
    drawn = np.stack([rng.permutation(rows[code])[:k] for code in decided])
    made = [donors.pixels[some].mean(axis=0).round().astype(np.uint8) for some in drawn]
    return Remade(np.stack(made), decided, drawn)
