"""Adapt again to a table that has grown, by its new rows alone: moments add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.labels import first_free
from sensitivenets.embeddings.rows import Codes
from sensitivenets.erasers.transport.adapt import Adapted, recorded_shrinkage
from sensitivenets.erasers.transport.forecast import forecast
from sensitivenets.erasers.transport.own_moments import (
    HalvedMomentStream,
    halves_of,
    lean,
    transport_to_barycentre,
)
from sensitivenets.erasers.transport.place import find_place, table_routes
from sensitivenets.erasers.transport.reference_groups import reference_groups
from sensitivenets.errors import InputError, some_of
from sensitivenets.maps.base import Fitted, Model, map_of, require_features
from sensitivenets.maps.chain import Chain


def grow(
    fitted: Model | Fitted,
    found: Adapted,
    X: FloatArray,
    *,
    subjects: Codes | None = None,
    strength: float = 1.0,
) -> Adapted:
    """Add rows to a table that a model was adapted to; the rows before are not read again.

    New rows are routed by the router that was found, and their moments added to those of the
    table; the maps are made anew. When the table has doubled, adapt to all of it: its router may
    be bettered too.

    Parameters
    ----------
    fitted : Model or fitted estimator
        What was adapted.
    found : Adapted
        To the table so far.
    X : ndarray of shape (m, d)
        New rows.
    subjects : ndarray of shape (m,), optional
        Code of each row's subject, numbered as those of the table were; -1 if unknown.
    strength : float, default=1.0
        As in `adapt`.

    Returns
    -------
    Adapted
        To all rows. All rows have to be mapped again, since the maps have changed.

    Raises
    ------
    InputError
        If the table's routes were not trusted or it has several sources, or rows are of another
        width.
    """
    if found.sources:
        raise InputError(
            f"expected a table of one source, found groups of each of {some_of(found.sources)}; "
            "adapt to all rows again"
        )
    if found.fell_back:
        raise InputError(
            "expected a table whose routes are trusted, found one that fell back on the model's "
            "own maps; there is nothing to add to"
        )
    require_features(X, found.map.n_features_in)
    shipped, place = find_place(map_of(fitted)), find_place(found.map)
    reference = reference_groups(shipped.router, recorded_shrinkage(fitted))
    numbers = np.arange(len(X)) + found.moments.whole.n_rows
    of_rows = (None, 0) if subjects is None else (subjects, first_free(subjects))
    halves = halves_of(numbers, *of_rows)
    stream = HalvedMomentStream(*place.router.means.shape)
    routes = table_routes(found.map, X, subjects)
    moments = found.moments.merge(stream.update(place.seen(X), routes, halves).moments())
    leaned = lean(moments, reference, strength)
    counts = moments.whole.counts
    transport = transport_to_barycentre(leaned.groups)
    parts = (*place.before, place.moved_by(place.router, transport), *place.after)
    return replace(
        found,
        map=Chain(parts),
        rows=tuple(int(n) for n in counts),
        own=tuple(round(float(share), 4) for share in leaned.own),
        forecast=forecast(counts, X.shape[1], leaned.error, noise=leaned.noise),
        error=tuple(np.asarray(leaned.error).tolist()),
        noise=tuple(leaned.noise.tolist()),
        moments=moments,
    )
