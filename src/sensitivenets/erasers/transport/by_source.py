"""Adapt to a table of several sources: each has groups and moments of its own.

Photographs of two cameras, or of two countries, are two populations: one mean and one covariance
for both fit neither. Routes are therefore found in each source alone, by its own
expectation-maximisation. Then the groups of all sources stand side by side in one router, which
finds both source and group of a row, since rows that come later do not say where they are from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.labels import first_free
from sensitivenets.embeddings.rows import Codes
from sensitivenets.erasers.moments.group import GroupMoments, Int64
from sensitivenets.erasers.transport.adapt import (
    Adapted,
    Found,
    fallen_back,
    look,
    moved_by_own,
    recorded_shrinkage,
)
from sensitivenets.erasers.transport.expectation_maximisation import Routes, take_step
from sensitivenets.erasers.transport.first_look import FirstLook
from sensitivenets.erasers.transport.own_moments import (
    HalvedMoments,
    LeanedMoments,
    lean,
    transport_to_barycentre,
)
from sensitivenets.erasers.transport.passes import IN_NUMPY, Chunks, Passes, Products
from sensitivenets.erasers.transport.place import find_place
from sensitivenets.erasers.transport.reference_groups import GaussianGroups, reference_groups
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, FittedMap, Model, map_of
from sensitivenets.maps.routed import GroupTransport, Router

R = TypeVar("R")

# Rows that a source needs: with fewer, nobody can tell groups in it.
_MIN_ROWS = 20


@dataclass(frozen=True)
class OfSource:
    """Passes over the rows of one source, numbered as if there were no others.

    Attributes
    ----------
    rows : Passes
        All rows.
    mine : ndarray of shape (rows.n_rows,), bool
        Which are of the source.
    """

    rows: Passes
    mine: npt.NDArray[np.bool_]

    @property
    def n_rows(self) -> int:
        """Rows of the source."""
        return int(np.count_nonzero(self.mine))

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """See `Passes.over`; stretches without a row of the source are left out."""
        numbers = np.cumsum(self.mine) - 1
        spread = [self._spread(array) for array in arrays]
        for found in self.rows.over(_Mine(function), self.mine, numbers, *spread):
            if found is not None:
                yield found

    def _spread(self, array: Any) -> Any:
        """Lay what is known of the rows of the source out over all rows."""
        wide = np.zeros((len(self.mine), *np.shape(array)[1:]), dtype=array.dtype)
        wide[self.mine] = array
        return wide


@dataclass(frozen=True)
class _Mine:
    """Hands a function the rows of a stretch that are of one source."""

    function: Callable[..., Any]

    def __call__(
        self, chunks: Chunks, mine: npt.NDArray[np.bool_], numbers: Int64, *arrays: Any
    ) -> Any:
        if not mine.any():
            # All chunks are taken, as whoever hashes them on the way expects.
            for _ in chunks:
                pass
            return None
        return self.function(_kept(chunks, mine, numbers), *(array[mine] for array in arrays))


def _kept(
    chunks: Chunks, mine: npt.NDArray[np.bool_], numbers: Int64
) -> Iterator[tuple[slice, FloatArray]]:
    start = 0
    for _, X in chunks:
        here = slice(start, start + len(X))
        start += len(X)
        keep = mine[here]
        if keep.any():
            first = int(numbers[here][keep][0])
            yield slice(first, first + int(np.count_nonzero(keep))), X[keep]


def adapt_by_source(
    fitted: Model | Fitted | FittedMap,
    rows: Passes,
    sources: Labels,
    *,
    subjects: Codes | None = None,
    shrinkage: float | None = None,
    strength: float = 1.0,
    trust: bool = False,
    products: Products = IN_NUMPY,
) -> Adapted:
    """Adapt a routed map to rows of several sources, each with groups and moments of its own.

    Parameters
    ----------
    fitted : Model, fitted estimator or FittedMap
        As in `adapt`.
    rows : Passes
        All rows. They are gone through five times for each source, ten with subjects, and once or
        twice more.
    sources : Labels of length rows.n_rows
        Source of each row, such as a camera or a country.
    subjects : ndarray of shape (n_rows,), optional
        Code of each row's subject, -1 if unknown: rows of a subject in a source share a route.
    shrinkage, strength, trust, products
        As in `adapt`.

    Returns
    -------
    Adapted
        Its groups are those of the first source, then those of the next. Groups of a source are
        moved onto one another; sources are not, so that a row still says where it is from. Its
        evidence is that of the source that has least, and its doubts name theirs.

    Raises
    ------
    InputError
        If rows do not say their source, a source has fewer than 20 rows, or as `adapt`.
    """
    codes = _checked(sources, rows.n_rows)
    place = find_place(map_of(fitted))
    reference = reference_groups(
        place.router, recorded_shrinkage(fitted) if shrinkage is None else shrinkage
    )
    found = []
    for code in range(len(sources.classes)):
        mine = codes == code
        own = None if subjects is None else subjects[mine]
        found.append(look(place, OfSource(rows, mine), reference, own, strength, products))
    shares = np.bincount(codes) / len(codes)
    router = side_by_side([one.routes.router for one in found], shares)
    # Whoever is in two sources has a route in each.
    apart = None if subjects is None else _crossed(subjects, codes)
    inside = FirstLook(place, rows, reference)
    groups, moments = take_step(inside, router, apart, products)
    leaned = [
        lean(one, reference, strength)
        for one in _of_each(moments, [one.routes.moments for one in found])
    ]
    whole = Found(
        Routes(router, groups, moments, *_moved(found, shares)),
        _joined(leaned),
        min(one.gained for one in found),
        tuple(
            f"source {name!r}: {doubt}"
            for name, one in zip(sources.classes, found, strict=True)
            for doubt in one.doubts
        ),
    )
    if whole.gained < 0 and not trust:
        made = fallen_back(map_of(fitted), whole)
    else:
        made = moved_by_own(place, rows, whole, _each_to_its_own(leaned), products)
    return replace(made, sources=sources.classes)


def _checked(sources: Labels, n_rows: int) -> Int64:
    """Refuse rows that do not say where they are from, and sources of next to none."""
    if len(sources) != n_rows:
        raise InputError(f"{sources.name}: expected {n_rows} sources, found {len(sources)}")
    unknown = int(np.count_nonzero(~sources.labelled))
    if unknown:
        raise InputError(
            f"{sources.name}: expected the source of each row, found {unknown} of {n_rows} rows "
            "without one; name it, or leave these rows out"
        )
    few = {name: n for name, n in sources.counts().items() if n < _MIN_ROWS}
    if few:
        name, n = next(iter(few.items()))
        raise InputError(
            f"{sources.name}: expected at least {_MIN_ROWS} rows of each source, found {n} of "
            f"{name!r}; join it to another, or leave it out"
        )
    return sources.codes


def side_by_side(routers: Sequence[Router], shares: FloatArray) -> Router:
    """Join the groups of several routers, each of which is right for a share of the rows."""
    offsets = [one.offsets + np.log(w) for one, w in zip(routers, shares, strict=True)]
    return Router(
        np.concatenate([one.means for one in routers]),
        np.concatenate([one.whitening for one in routers]),
        np.concatenate(offsets).astype(np.float32),
    )


def _crossed(subjects: Codes, codes: Int64) -> Int64:
    """Give each pair of subject and source a code; -1 stays."""
    pairs = subjects.astype(np.int64) * first_free(codes) + codes
    known = subjects >= 0
    crossed = np.full(len(subjects), -1, dtype=np.int64)
    crossed[known] = np.unique(pairs[known], return_inverse=True)[1]
    return crossed


def _moved(found: Sequence[Found], shares: FloatArray) -> tuple[tuple[float, ...], float]:
    """Return the share of all rows that each step moved, and that drifted."""
    # A source that has settled moves no more.
    steps = zip_longest(*(one.routes.moved for one in found), fillvalue=0.0)
    drift = float(shares @ [one.routes.drift for one in found])
    return tuple(float(shares @ step) for step in steps), drift


def _of_each(moments: HalvedMoments, named: Sequence[HalvedMoments]) -> Iterator[HalvedMoments]:
    """Cut the moments of all groups into those of each source."""
    n = moments.whole.counts.size // len(named)
    for number, own in enumerate(named):
        of = slice(number * n, (number + 1) * n)
        first, second = (
            GroupMoments(half.counts[of], half.means[of], half.scatter[of])
            for half in moments.halves
        )
        cut = HalvedMoments((first, second))
        # A source that the joint router never finds has the moments of the rows that name it.
        yield cut if cut.whole.counts.max() > 1 else own


def _joined(leaned: Sequence[LeanedMoments]) -> LeanedMoments:
    """Put the moments of all sources side by side, each source weighing alike."""
    groups = [one.groups for one in leaned]
    return LeanedMoments(
        GaussianGroups(
            np.concatenate([one.shares for one in groups]) / len(groups),
            np.concatenate([one.means for one in groups]),
            np.concatenate([one.covariances for one in groups]),
        ),
        np.concatenate([one.own for one in leaned]),
        np.concatenate([one.own_means for one in leaned]),
        np.concatenate([one.signal for one in leaned]),
        np.concatenate([one.noise for one in leaned]),
    )


def _each_to_its_own(leaned: Sequence[LeanedMoments]) -> GroupTransport:
    """Move the groups of each source to the barycentre of that source.

    One barycentre for all would tear apart rows of a person whose source is mistaken: on LFW and
    CelebA in one table, 93.3 % were accepted at an FMR of 1e-3 instead of 99.4 (docs/adapting.md).
    """
    parts = [transport_to_barycentre(one.groups) for one in leaned]
    return GroupTransport(
        np.concatenate([one.matrices for one in parts]),
        np.concatenate([one.offsets for one in parts]),
    )
