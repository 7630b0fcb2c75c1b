"""Who teaches the detectors, who the triplets, and who the attackers (sections 4.2 and 4.3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.datasets.diveface.balance import IntArray, identity_numbers, rank_within
from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError

#: Values of the column ``split``; a row of none of them is null.
DETECTORS, TRIPLETS = "detectors", "triplets"
ATTACK_TRAIN, ATTACK_TEST = "attack_train", "attack_test"
SPLITS = (DETECTORS, TRIPLETS, ATTACK_TRAIN, ATTACK_TEST)

Names = npt.NDArray[np.object_]


@dataclass(frozen=True)
class SplitSizes:
    """How large the parts are, over all classes; those of the paper unless given.

    Attributes
    ----------
    detectors : int
        Identities of D-S.
    attack_train, attack_test : int
        Images that attackers are trained and tested on.
    images : int
        Images of each identity in these three; D-P takes all images of its identities.
    """

    detectors: int = 3000
    attack_train: int = 9000
    attack_test: int = 1800
    images: int = 3

    def __post_init__(self) -> None:
        if self.images < 1:
            raise InputError(f"images: expected at least 1, found {self.images}")

    def per_class(self, n_classes: int) -> dict[str, int]:
        """Return the images of each class in each part.

        Raises
        ------
        InputError
            If a part cannot be shared equally among the classes.
        """
        sizes = {
            DETECTORS: self.detectors,
            ATTACK_TRAIN: self.attack_train,
            ATTACK_TEST: self.attack_test,
        }
        for name, size in sizes.items():
            if size < n_classes or size % n_classes:
                raise InputError(
                    f"{name}: expected a multiple of the {n_classes} classes, at least one of "
                    f"each, found {size}"
                )
        shares = {name: size // n_classes for name, size in sizes.items()}
        return shares | {DETECTORS: shares[DETECTORS] * self.images}


def sizes_in_proportion(n_identities: int, n_classes: int, images: int = 3) -> SplitSizes:
    """Scale the parts of the paper to a set of another size.

    Of 24 000 identities the paper takes an eighth for the detectors; 9 000 and 1 800 images, at
    three of each identity, are an eighth and a fortieth. On DiveFace these are its numbers.

    Parameters
    ----------
    n_identities : int
        Identities of each class.
    n_classes : int
        Classes.
    images : int, default=3
        Images of each identity in D-S and among the attackers' rows.

    Returns
    -------
    SplitSizes
        At least one identity of each class in each part.
    """
    eighth, fortieth = (max(n_identities // part, 1) * n_classes for part in (8, 40))
    return SplitSizes(eighth, eighth * images, fortieth * images, images)


def split_set(
    subject: Labels | None,
    classes: Labels,
    sizes: SplitSizes,
    random_state: int = 0,
    *,
    as_published: bool = False,
) -> tuple[Names, Names | None]:
    """Give each row of a balanced set its part; no identity is in two.

    The paper uses up all 24 000 identities for D-S and D-P. Its attackers' images can then only
    be of identities that phi was fitted on, and it does not say which. Here the attackers'
    identities are set aside unless `as_published`, so that an audit is of people the model has
    never met; D-P is smaller by as many.

    Parameters
    ----------
    subject : Labels or None
        Identity of each row; each row is its own without it.
    classes : Labels
        Class of each row; every row has one.
    sizes : SplitSizes
        How large the parts are.
    random_state : int, default=0
        Decides everything.
    as_published : bool, default=False
        As section 4.3 counts: the identities that are not in D-S are all in D-P, and the
        attackers' images are drawn from all of them, disjoint from each other alone.

    Returns
    -------
    split : ndarray of shape (n,)
        ``detectors`` (D-S), ``triplets`` (D-P), ``attack_train``, ``attack_test``, or None: images
        beyond those taken of an identity.
    attack : ndarray of shape (n,) or None
        With `as_published`: ``attack_train``, ``attack_test`` or None; `split` has neither.

    Raises
    ------
    InputError
        If an identity has fewer images than are to be taken of it, sizes do not divide among the
        classes, or identities do not suffice for two of each class in D-P.
    """
    identity = identity_numbers(subject, len(classes))
    if not len(identity) or not classes.labelled.all():
        raise InputError("expected a class in every row of a balanced set; balance it first")
    _refuse_few_images(identity, subject, sizes.images)
    shares = sizes.per_class(len(classes.classes))
    rng = np.random.default_rng(random_state)
    attack_parts = {name: shares[name] for name in (ATTACK_TRAIN, ATTACK_TEST)}
    if not as_published:
        parts = {DETECTORS: shares[DETECTORS], **attack_parts}
        return _deal(identity, classes, parts, sizes.images, rng, rest=TRIPLETS), None
    first = {DETECTORS: shares[DETECTORS]}
    split = _deal(identity, classes, first, sizes.images, rng, rest=TRIPLETS)
    return split, _deal(identity, classes, attack_parts, sizes.images, rng, rest=None)


def _deal(
    identity: IntArray,
    classes: Labels,
    parts: dict[str, int],
    images: int,
    rng: np.random.Generator,
    rest: str | None,
) -> Names:
    """Deal the identities of each class to the parts, in a random order."""
    names = np.full(len(identity), None, dtype=object)
    rank = rank_within(identity, rng)
    for code, name in enumerate(classes.classes):
        people = rng.permutation(np.unique(identity[classes.codes == code]))
        _refuse_few_identities(name, len(people), parts, images, n_rest=2 if rest else 0)
        start = 0
        for part, n_images in parts.items():
            n_people = -(-n_images // images)
            chosen = people[start : start + n_people]
            start += n_people
            rows = np.flatnonzero(np.isin(identity, chosen) & (rank < images))
            # Where images do not divide, one identity has fewer than the others.
            names[rows[np.argsort(rank[rows], kind="stable")][:n_images]] = part
        if rest is not None:
            names[np.isin(identity, people[start:])] = rest
    return names


def _refuse_few_images(identity: IntArray, subject: Labels | None, images: int) -> None:
    numbers, counts = np.unique(identity, return_counts=True)
    few = np.flatnonzero(counts < images)
    if not len(few):
        return
    code = numbers[few[0]]
    known = subject is not None and code < len(subject.classes)
    name = repr(subject.classes[code]) if known and subject is not None else f"row {few[0]}"
    raise InputError(
        f"split: expected at least {images} images of each identity, found {counts[few[0]]} of "
        f"{name} ({len(few)} such identities); balance with more images (--min-images {images}) "
        f"or split with fewer (--split-images {counts.min()})"
    )


def _refuse_few_identities(
    name: str, found: int, parts: dict[str, int], images: int, n_rest: int
) -> None:
    needed = {part: -(-n_images // images) for part, n_images in parts.items()}
    total = sum(needed.values()) + n_rest
    if found < total:
        listed = ", ".join(f"{count} for {part}" for part, count in needed.items())
        rest = f" and {n_rest} for {TRIPLETS}" if n_rest else ""
        raise InputError(
            f"split: class {name!r} has {found} identities, expected at least {total}: "
            f"{listed}{rest}; ask for smaller parts"
        )
