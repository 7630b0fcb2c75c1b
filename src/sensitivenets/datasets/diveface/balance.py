"""The balanced set: as many identities of each class, each with enough images (section 3)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import Labels
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.errors import InputError

IntArray = npt.NDArray[np.int64]

_EXAMPLES = 3


@dataclass(frozen=True)
class Balance:
    """What a balanced set is made of. DiveFace has 4 000 identities and at least 3 images.

    Attributes
    ----------
    identities : int or None
        Identities of each class; as many as the smallest class has unless given.
    min_images : int
        Images that an identity needs to be taken.
    images : int or None
        Take exactly so many of each identity, drawn at random; all unless given.
    """

    identities: int | None = None
    min_images: int = 3
    images: int | None = None

    def __post_init__(self) -> None:
        numbers = {
            "identities": self.identities,
            "min_images": self.min_images,
            "images": self.images,
        }
        for name, number in numbers.items():
            if number is not None and number < 1:
                raise InputError(f"{name}: expected at least 1, found {number}")

    @property
    def needed(self) -> int:
        """Images that an identity must have."""
        return max(self.min_images, self.images or 1)


@dataclass(frozen=True)
class BalancedSet:
    """The rows that make a balanced set.

    Attributes
    ----------
    rows : ndarray of int64
        Row numbers, ascending.
    available : dict of str to int
        Identities of each class with enough images, of which the set took as many each.
    identities : int
        Identities taken of each class.
    contradicting : tuple of str
        Identities left out because their rows are of different classes.
    """

    rows: IntArray
    available: dict[str, int]
    identities: int
    contradicting: tuple[str, ...]


def identity_numbers(subject: Labels | None, n_rows: int) -> IntArray:
    """Return the number of each row's identity; a row without one is an identity of its own."""
    if subject is None:
        return np.arange(n_rows)
    own = np.arange(n_rows) + len(subject.classes)
    return np.where(subject.labelled, subject.codes, own)


def balance(
    subject: Labels | None, classes: Labels, options: Balance | None = None, random_state: int = 0
) -> BalancedSet:
    """Draw as many identities of each class.

    Parameters
    ----------
    subject : Labels or None
        Identity of each row; each row is its own without it.
    classes : Labels
        Class of each row, such as gender x ethnicity; rows without one are passed over.
    options : Balance, optional
        How many; the defaults of `Balance` unless given.
    random_state : int, default=0
        Decides which identities, and which of their images.

    Returns
    -------
    BalancedSet
        The rows, and what there was to draw from.

    Raises
    ------
    InputError
        If a class has too few identities, with how many each has and the largest number that
        would do.
    """
    options = options or Balance()
    identity = identity_numbers(subject, len(classes))
    contradicting = _contradicting(identity, classes)
    usable = classes.labelled & ~np.isin(identity, contradicting)
    n_images = np.bincount(identity[usable], minlength=identity.max(initial=0) + 1)
    usable &= n_images[identity] >= options.needed
    # In the order of their numbers, so that the draw depends on nothing else.
    eligible = [
        np.unique(identity[usable & (classes.codes == k)]) for k in range(len(classes.classes))
    ]
    available = dict(zip(classes.classes, map(len, eligible), strict=True))
    wanted = min(available.values()) if options.identities is None else options.identities
    _refuse_shortfall(available, wanted, options.needed, classes.name)
    rng = np.random.default_rng(random_state)
    taken = np.concatenate([rng.choice(one, wanted, replace=False) for one in eligible])
    rows = np.flatnonzero(usable & np.isin(identity, taken))
    if options.images is not None:
        rows = rows[rank_within(identity[rows], rng) < options.images]
    names = () if subject is None else tuple(subject.classes[k] for k in contradicting)
    return BalancedSet(rows, available, wanted, names)


def rank_within(identity: IntArray, rng: np.random.Generator) -> IntArray:
    """Put the rows of each identity in a random order: 0 for the first of each, and so on."""
    order = np.lexsort((rng.permutation(len(identity)), identity))
    ordered = identity[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(np.r_[starts, len(ordered)])
    rank = np.empty(len(identity), dtype=np.int64)
    rank[order] = np.arange(len(ordered)) - np.repeat(starts, lengths)
    return rank


def _contradicting(identity: IntArray, classes: Labels) -> IntArray:
    known = classes.codes != UNLABELLED
    n = identity.max(initial=0) + 1
    lowest, highest = np.full(n, len(classes.classes)), np.full(n, -1)
    np.minimum.at(lowest, identity[known], classes.codes[known])
    np.maximum.at(highest, identity[known], classes.codes[known])
    return np.flatnonzero((highest >= 0) & (lowest < highest))


def _refuse_shortfall(available: dict[str, int], wanted: int, needed: int, name: str) -> None:
    short = {one: count for one, count in available.items() if count < wanted or count == 0}
    if not short:
        return
    found = ", ".join(f"{one!r} {count}" for one, count in short.items())
    largest = min(available.values())
    images = f"at least {needed} image{'s' if needed > 1 else ''}"
    remedy = (
        f"ask for {largest} identities or for fewer images of each"
        if largest
        else "ask for fewer images of each, or leave out what no one has (--where)"
    )
    raise InputError(
        f"{name}: expected {max(wanted, 1)} identities with {images} in each of {len(available)} "
        f"classes, found {found}; {remedy}"
    )


def absent_combinations(attributes: dict[str, Labels], classes: Labels) -> list[str]:
    """Name the combinations of classes that no row has; a balanced set would lack them."""
    present = (
        [one.classes[k] for k in np.flatnonzero(list(one.counts().values()))]
        for one in attributes.values()
    )
    every = (" x ".join(names) for names in itertools.product(*present))
    return [name for name in every if name not in classes.classes]
