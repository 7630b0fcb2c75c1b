"""Where a map has its routes, and how the rows of a table take them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import Codes
from sensitivenets.erasers.transport.expectation_maximisation import shared_routes
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.routed import (
    Groups,
    GroupTransport,
    RoutedMap,
    Router,
    SubspaceMap,
    moved_in_groups,
)


@dataclass(frozen=True)
class Place:
    """Where a chain has its routes.

    Attributes
    ----------
    before : tuple of FittedMap
        Parts before them: directions that are kept.
    routed : RoutedMap or SubspaceMap
        The first round.
    after : tuple of FittedMap
        Parts behind the last round.
    """

    before: tuple[FittedMap, ...]
    routed: RoutedMap | SubspaceMap
    after: tuple[FittedMap, ...]

    @property
    def router(self) -> Router:
        """Router of the first round."""
        return self.routed.router

    def seen(self, X: FloatArray) -> FloatArray:
        """Return rows as the router sees them: in its directions, and of the usual length."""
        for part in self.before:
            X = part(X)
        return self.routed.seen(X)

    def moved_by(self, router: Router, transport: GroupTransport) -> RoutedMap | SubspaceMap:
        """Return the round with other routes and maps."""
        if isinstance(self.routed, SubspaceMap):
            return replace(self.routed, router=router, transport=transport)
        return RoutedMap(router, (transport,), self.routed.lengths)


def find_place(fitted: FittedMap) -> Place:
    """Find the routes of a map.

    Raises
    ------
    InputError
        If there are none.
    """
    parts = fitted.flat() if isinstance(fitted, Chain) else [fitted]
    rounds = [k for k, part in enumerate(parts) if isinstance(part, RoutedMap | SubspaceMap)]
    if not rounds or not all(isinstance(part, Affine) for part in parts[: rounds[0]]):
        raise InputError(
            f"expected a map that begins with routes, found {[part.kind for part in parts]}; fit "
            "RoutedTransport or CodedTransport, or fit this method again on the table"
        )
    routed = parts[rounds[0]]
    assert isinstance(routed, RoutedMap | SubspaceMap)
    return Place(tuple(parts[: rounds[0]]), routed, tuple(parts[rounds[-1] + 1 :]))


def transform_table(fitted: FittedMap, X: FloatArray, subjects: Codes) -> FloatArray:
    """Map a table whose subjects are known: rows of a subject share a route.

    Parameters
    ----------
    fitted : FittedMap
        An adapted map.
    X : ndarray of shape (n, d)
        All rows of the table.
    subjects : ndarray of shape (n,)
        Code of each row's subject, -1 if unknown.

    Returns
    -------
    ndarray of shape (n, k)
        Mapped rows, in the order of the table.
    """
    return moved_in_groups(fitted, X, table_routes(fitted, X, subjects))


def table_routes(fitted: FittedMap, X: FloatArray, subjects: Codes | None = None) -> Groups:
    """Find the group that each row of a table looks like: for attackers and maps, never to keep.

    Parameters
    ----------
    fitted : FittedMap
        A routed map.
    X : ndarray of shape (n, d)
        All rows of the table.
    subjects : ndarray of shape (n,), optional
        Code of each row's subject, -1 if unknown: rows of a subject share a group.

    Returns
    -------
    ndarray of shape (n,), int64
        Group of each row.
    """
    place = find_place(fitted)
    scores = place.router.scores(place.seen(X))
    if subjects is None:
        return np.asarray(scores.argmax(axis=1))
    return shared_routes([scores], subjects)
