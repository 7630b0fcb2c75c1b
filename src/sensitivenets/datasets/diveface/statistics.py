"""What a set is made of: images and identities of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.datasets.diveface.balance import IntArray, identity_numbers
from sensitivenets.embeddings import Labels

#: Name of the line that counts all classes together.
TOTAL = "all classes"


@dataclass(frozen=True)
class ClassStatistics:
    """Images and identities of one class.

    Attributes
    ----------
    name : str
        The class, such as ``Female x Group 1``.
    images, identities : int
        How many.
    images_per_identity : ndarray of int64
        Images of each identity, ascending.
    parts : dict of str to (int, int)
        Images and identities in each part of the set, where it has parts.
    """

    name: str
    images: int
    identities: int
    images_per_identity: IntArray
    parts: dict[str, tuple[int, int]]

    @property
    def mean(self) -> float:
        """Mean number of images of an identity."""
        return self.images / max(self.identities, 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers for JSON; of `images_per_identity`, its summary."""
        each = self.images_per_identity
        return {
            "class": self.name,
            "images": self.images,
            "identities": self.identities,
            "images_per_identity": {
                "mean": self.mean,
                "min": int(each[0]) if len(each) else 0,
                "median": float(np.median(each)) if len(each) else 0.0,
                "max": int(each[-1]) if len(each) else 0,
            },
            "parts": {
                part: {"images": images, "identities": identities}
                for part, (images, identities) in self.parts.items()
            },
        }


def set_statistics(
    subject: Labels | None, classes: Labels, split: Labels | None = None
) -> tuple[ClassStatistics, ...]:
    """Count images and identities by class, and by part where there are parts.

    Parameters
    ----------
    subject : Labels or None
        Identity of each row; each row is its own without it.
    classes : Labels
        Class of each row; rows without one are not counted.
    split : Labels, optional
        Part of each row.

    Returns
    -------
    tuple of ClassStatistics
        One for each class, in their order, and `TOTAL` last.
    """
    identity = identity_numbers(subject, len(classes))
    masks = {name: classes.codes == k for k, name in enumerate(classes.classes)}
    masks[TOTAL] = classes.labelled
    return tuple(_count(name, mask, identity, split) for name, mask in masks.items())


def _count(
    name: str, mask: npt.NDArray[np.bool_], identity: IntArray, split: Labels | None
) -> ClassStatistics:
    counts = np.unique(identity[mask], return_counts=True)[1]
    parts = {}
    if split is not None:
        for code, part in enumerate(split.classes):
            members = identity[mask & (split.codes == code)]
            parts[part] = (len(members), len(np.unique(members)))
    return ClassStatistics(name, int(mask.sum()), len(counts), np.sort(counts), parts)
