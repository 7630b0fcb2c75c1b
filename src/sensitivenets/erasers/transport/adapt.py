"""Adapt a fitted routed map to a table without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.labels import first_free
from sensitivenets.embeddings.rows import Codes
from sensitivenets.erasers.moments.group import Float64
from sensitivenets.erasers.transport.evidence import evidence
from sensitivenets.erasers.transport.expectation_maximisation import Routes, find_routes
from sensitivenets.erasers.transport.first_look import FirstLook
from sensitivenets.erasers.transport.forecast import Forecast, forecast
from sensitivenets.erasers.transport.own_moments import (
    HalvedMoments,
    LeanedMoments,
    halves_of,
    lean,
    transport_to_barycentre,
)
from sensitivenets.erasers.transport.passes import IN_NUMPY, Chunks, HeldRows, Passes, Products
from sensitivenets.erasers.transport.place import Place, find_place
from sensitivenets.erasers.transport.reference_groups import GaussianGroups, reference_groups
from sensitivenets.erasers.transport.trust import doubts
from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, FittedMap, Model, map_of, model_of, require_features
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.digest import weights_digest
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.routed import GroupTransport
from sensitivenets.maps.universal_code import UniversalCode


@dataclass(frozen=True)
class Adapted:
    """A map adapted to a table, and the record of how.

    Attributes
    ----------
    map : FittedMap
        Of the same kinds as the one it was made from: it is saved, exported and applied alike.
    rows : tuple of int
        Rows of each predicted group.
    own : tuple of float
        Share of the table's own covariance in each group's map.
    drift : float
        Share of the rows that the reference's router would have sent to another group.
    moved : tuple of float
        Share of the rows that each step of expectation-maximisation moved.
    doubts : tuple of str
        Why not to trust it, in words; empty where nothing speaks against it.
    forecast : Forecast
        For people who are not in the table.
    error, noise : tuple of float
        Of each group's covariance (`own_moments.LeanedMoments`): what `forecast` needs for the
        classes of an attribute, or an attacker of few labels.
    gained : float
        Evidence of groups like the reference's, in nats a row (`evidence.evidence`).
    fell_back : bool
        Whether there was evidence against it, so that `map` is the model's own.
    moments : HalvedMoments
        Of the predicted groups: what rows of a table that grows are added to (`grow`).
    sources : tuple of str
        Of the rows, where each has groups of its own (`by_source`): all groups of the first, then
        all of the next. Empty where rows were not told apart.
    """

    map: FittedMap
    rows: tuple[int, ...]
    own: tuple[float, ...]
    drift: float
    moved: tuple[float, ...]
    doubts: tuple[str, ...]
    forecast: Forecast
    error: tuple[float, ...]
    noise: tuple[float, ...]
    gained: float
    fell_back: bool
    moments: HalvedMoments
    sources: tuple[str, ...] = ()

    def record(self) -> dict[str, Any]:
        """Return all but the map and the moments as JSON values; no row, no route is in it."""
        kept = [f.name for f in fields(self) if f.name not in {"map", "moments"}]
        values = {name: getattr(self, name) for name in kept}
        return values | {"forecast": asdict(self.forecast)}


def adapt(
    fitted: Model | Fitted | FittedMap,
    X: FloatArray,
    *,
    subjects: Codes | None = None,
    shrinkage: float | None = None,
    strength: float = 1.0,
    trust: bool = False,
) -> Adapted:
    """Adapt a routed map to the rows of a table, which need no label.

    Parameters
    ----------
    fitted : Model, fitted estimator or FittedMap
        Of `RoutedTransport`, `CodedTransport` or another method that begins with routes.
    X : ndarray of shape (n, d)
        All rows of the table.
    subjects : ndarray of shape (n,), optional
        Code of each row's subject, -1 if unknown: rows of a subject share a route.
    shrinkage : float, optional
        Of the first round's router; a Model records it, for a bare map it is 0 unless given.
    strength : float, default=1.0
        How far the maps trust the table's own moments (`own_moments.lean`).
    trust : bool, default=False
        Adapt even where the table shows no groups like the reference's; the model's own map is
        kept there otherwise.

    Returns
    -------
    Adapted
        The map, and how far to trust it. Apply it to the table with `transform_table` where
        subjects were given, so that its rows keep the routes that their moments were taken over.

    Raises
    ------
    InputError
        If the map has no routes, or rows are of another width or length than the map was fitted
        on.

    Examples
    --------
    >>> from sensitivenets.datasets.synthetic import synthetic_diveface
    >>> from sensitivenets.erasers.transport.routed_transport import RoutedTransport
    >>> table = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0)
    >>> eraser = RoutedTransport(n_rounds=1, random_state=0)
    >>> fitted = eraser.fit(table.vectors, sensitive={"gender": table.column("gender")}).model_
    >>> adapt(fitted, table.vectors).map(table.vectors).shape
    (900, 32)
    """
    require_features(X, map_of(fitted).n_features_in)
    return adapt_passes(
        fitted,
        HeldRows(lambda: iter([X]), len(X)),
        subjects=subjects,
        shrinkage=shrinkage,
        strength=strength,
        trust=trust,
    )


def adapt_passes(
    fitted: Model | Fitted | FittedMap,
    rows: Passes,
    *,
    subjects: Codes | None = None,
    shrinkage: float | None = None,
    strength: float = 1.0,
    trust: bool = False,
    products: Products = IN_NUMPY,
) -> Adapted:
    """Adapt to rows that are read again and again instead of held.

    Parameters are those of `adapt`, but for

    Parameters
    ----------
    rows : Passes
        All rows. Five passes are made at most, ten with subjects, and one more for a code.
    products : Products, optional
        Who multiplies; numpy unless given.

    Returns
    -------
    Adapted
        As `adapt`.
    """
    place = find_place(map_of(fitted))
    reference = reference_groups(
        place.router, recorded_shrinkage(fitted) if shrinkage is None else shrinkage
    )
    found = look(place, rows, reference, subjects, strength, products)
    if found.gained < 0 and not trust:
        return fallen_back(map_of(fitted), found)
    transport = transport_to_barycentre(found.leaned.groups)
    return moved_by_own(place, rows, found, transport, products)


@dataclass(frozen=True)
class Found:
    """What a table was found to hold, before its map is made.

    Attributes
    ----------
    routes : Routes
        Groups of its rows.
    leaned : LeanedMoments
        Of these groups.
    gained : float
        Evidence of groups like the reference's.
    doubts : tuple of str
        Why not to trust it.
    """

    routes: Routes
    leaned: LeanedMoments
    gained: float
    doubts: tuple[str, ...]


def look(
    place: Place,
    rows: Passes,
    reference: GaussianGroups,
    subjects: Codes | None,
    strength: float,
    products: Products,
) -> Found:
    """Find the routes and moments of rows, and the evidence for groups like the reference's."""
    inside = FirstLook(place, rows, reference)
    routes = find_routes(inside, reference, subjects=subjects, products=products)
    of_sample = (None, 0) if subjects is None else (subjects[inside.where], first_free(subjects))
    halves = halves_of(inside.where, *of_sample)
    gained = evidence(inside.sample, halves, routes.moments, reference)
    leaned = lean(routes.moments, reference, strength)
    return Found(routes, leaned, gained, tuple(doubts(routes, gained)))


def moved_by_own(
    place: Place, rows: Passes, found: Found, transport: GroupTransport, products: Products
) -> Adapted:
    """Make the map of the routes that were found, and its record."""
    moved: FittedMap = place.moved_by(found.routes.router, transport)
    parts = [*place.before, moved, *_recentred(place, moved, rows, products)]
    return _recorded(Chain(tuple(parts)), found)


def fallen_back(own: FittedMap, found: Found) -> Adapted:
    """Keep the model's own map, and say so."""
    nothing = replace(found.leaned, own=np.zeros_like(found.leaned.own))
    why = "fell back on the model's own maps; label rows of the table, or adapt with trust"
    said = replace(found, leaned=nothing, doubts=(*found.doubts, why))
    return replace(_recorded(own, said), fell_back=True)


def _recorded(adapted: FittedMap, found: Found) -> Adapted:
    leaned, counts = found.leaned, found.routes.moments.whole.counts
    n_features = leaned.groups.means.shape[1]
    return Adapted(
        map=adapted,
        rows=tuple(int(n) for n in counts),
        own=tuple(round(float(share), 4) for share in leaned.own),
        drift=found.routes.drift,
        moved=found.routes.moved,
        doubts=found.doubts,
        forecast=forecast(counts, n_features, leaned.error, noise=leaned.noise),
        error=tuple(float(e) for e in leaned.error),
        noise=tuple(float(v) for v in leaned.noise),
        gained=found.gained,
        fell_back=False,
        moments=found.routes.moments,
    )


def adapted_model(fitted: Model | Fitted, adapted: Adapted, table: Mapping[str, Any]) -> Model:
    """Make the model that maps people who come later, with its record.

    Parameters
    ----------
    fitted : Model or fitted estimator
        What was adapted.
    adapted : Adapted
        To the table.
    table : mapping
        The table's `fingerprint`.

    Returns
    -------
    Model
        Its fingerprint has the table under "adapted", what the parent learned from under
        "reference ...", and the digest of the parent's weights under "parent"; its curve has the
        record of the adaptation, without a route.
    """
    parent = model_of(fitted)
    known = {f"reference {name}": record for name, record in parent.fingerprint.items()}
    known["parent"] = {"weights_sha256": weights_digest(parent.map.arrays())}
    return replace(
        parent,
        map=adapted.map,
        fingerprint={"adapted": dict(table)} | known,
        curve=({"adapted": adapted.record()},),
    )


def recorded_shrinkage(fitted: Model | Fitted | FittedMap) -> float:
    """Return the shrinkage of a model's first router, as its curve records it; 0 of a bare map.

    Raises
    ------
    InputError
        If the model was adapted itself.
    """
    if isinstance(fitted, FittedMap):
        return 0.0
    curve = model_of(fitted).curve
    if curve and "adapted" in curve[0]:
        raise InputError(
            "expected a model that was fitted on labelled rows, found one that was adapted to a "
            "table; adapt the model that it was made from again"
        )
    return float(curve[0].get("router", {}).get("shrinkage", 0.0)) if curve else 0.0


def _recentred(
    place: Place, moved: FittedMap, rows: Passes, products: Products
) -> Sequence[FittedMap]:
    """Return the parts behind the rounds; a code is centred on the table."""
    after = place.after
    if not (len(after) > 1 and isinstance(after[0], Projection)):
        return after
    if not isinstance(after[1], UniversalCode):
        return after
    bias = -mean_after((*place.before, moved), rows, products).astype(np.float32)
    return (replace(after[0], bias=bias), *after[1:])


def mean_after(parts: Sequence[FittedMap], rows: Passes, products: Products = IN_NUMPY) -> Float64:
    """Return the mean of all rows after maps, shape (k,): one pass."""
    found = rows.over(_Total(products.maps(parts)))
    total = sum(found, np.zeros(parts[-1].n_features_out))
    return np.asarray(total / max(rows.n_rows, 1))


@dataclass(frozen=True)
class _Total:
    """Sums the rows of a stretch, mapped."""

    parts: Sequence[FittedMap]

    def __call__(self, chunks: Chunks) -> Float64:
        total: Float64 | float = 0.0
        for _, X in chunks:
            for part in self.parts:
                X = part(X)
            total = total + X.sum(axis=0, dtype=np.float64)
        return np.asarray(total)
