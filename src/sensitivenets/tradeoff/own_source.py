"""A candidate carried out on a table that is read and not held, by whatever engine there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.labels import code_type, encode_attributes, encode_columns
from sensitivenets.embeddings.rows import STRETCH_ROWS, Codes
from sensitivenets.embeddings.source import TableSource
from sensitivenets.embeddings.source_rows import IdentifiedRows, SourceRows
from sensitivenets.engines import Engine
from sensitivenets.erasers.linear.leace import LEACE, leace
from sensitivenets.erasers.moments.attribute import AttributeStream
from sensitivenets.erasers.transport.adapt import Adapted, adapt_passes, mean_after
from sensitivenets.erasers.transport.expectation_maximisation import shared_routes
from sensitivenets.erasers.transport.passes import Chunks, Passes
from sensitivenets.erasers.transport.place import Place, find_place
from sensitivenets.maps.base import FittedMap, Model
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.routed import Groups
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.own_table import (
    chained,
    components,
    nothing_moved,
    one_round,
    without_word_of_few_rows,
)

R = TypeVar("R")

_GROUP = "group"


@dataclass(frozen=True)
class OnSource:
    """What a candidate is on a table; see `own_table.OnTable`, which holds the rows as well."""

    adapted: Adapted
    map: FittedMap
    routes: Groups


def fitted_on_source(
    reference: TableSource,
    names: Sequence[str],
    candidate: Candidate,
    unlabelled: Passes,
    seed: int,
    engine: Engine,
) -> Model:
    """Do what `own_table.fitted_on` does, with a reference that is read and not held."""
    labels = reference.read_labels(names)
    attributes = encode_attributes(labels, labels.num_rows)
    rows = IdentifiedRows(SourceRows(reference, engine), reference.width())
    before = components(candidate, rows, unlabelled)
    with without_word_of_few_rows():
        passes = rows if before is None else _Mapped(rows, before)
        model = one_round(candidate, seed).fit_passes(passes, attributes).model_
    return model if before is None else chained(before, model, rows.fingerprint.to_record())


def on_source(
    fitted: Model, candidate: Candidate, rows: Passes, subjects: Codes | None, seed: int
) -> OnSource:
    """Find the groups among the rows of a table, and learn what the candidate does to them.

    Parameters
    ----------
    fitted : Model
        Of `fitted_on_source`, or another that can be adapted.
    candidate : Candidate
        How many directions are moved is up to `fitted`.
    rows : Passes
        All rows of the table.
    subjects : ndarray of shape (n_rows,), or None
        Code of each row's subject, -1 if unknown: rows of a subject are moved alike.
    seed : int
        Decides what is sampled, and the public code.

    Returns
    -------
    OnSource
        The same on any engine.
    """
    adapted = adapt_passes(fitted, rows, subjects=subjects)
    place = find_place(adapted.map)
    if subjects is None:
        routes = np.concatenate(list(rows.over(_Routes(place))))
    else:
        routes = shared_routes(rows.over(_Scores(place)), subjects)
    moved = _means_moved(place, rows, routes, seed) if candidate.means_only else adapted.map
    parts = moved.flat() if isinstance(moved, Chain) else [moved]
    phi = candidate.around(moved, lambda: mean_after(parts, rows).astype(np.float32), seed)
    return OnSource(adapted, phi, routes)


@dataclass(frozen=True)
class _Scores:
    """Scores the rows of a stretch, whose subjects others decide for."""

    place: Place

    def __call__(self, chunks: Chunks) -> FloatArray:
        router = self.place.router
        return np.concatenate([router.scores(self.place.seen(X)) for _, X in chunks])


@dataclass(frozen=True)
class _Routes:
    """Routes the rows of a stretch, each by itself."""

    place: Place

    def __call__(self, chunks: Chunks) -> Groups:
        scores = _Scores(self.place)(chunks)
        routes: Groups = scores.argmax(axis=1).astype(code_type(scores.shape[1]))
        return routes


def _means_moved(place: Place, rows: Passes, routes: Groups, seed: int) -> FittedMap:
    """Make the means of predicted groups alike, and nothing else; of one group they are."""
    eraser = LEACE(random_state=seed)
    n_features = place.routed.n_features_in
    whole = eraser.new_stream([_GROUP], n_features)
    for stream in rows.over(_MeansOf(place.before, eraser, rows.n_rows, seed), routes):
        whole.merge(stream)
    if not whole.has_two_classes():
        return Chain((*place.before, nothing_moved(n_features)))
    learned = leace(whole.moments(), shrinkage=eraser.shrinkage, tolerance=eraser.tolerance)
    return Chain((*place.before, learned.map))


@dataclass(frozen=True)
class _MeansOf:
    """Takes the means of the predicted groups of a stretch, and a part of the covariance."""

    before: tuple[FittedMap, ...]
    eraser: LEACE
    n_rows: int
    seed: int

    def __call__(self, chunks: Chunks, routes: Groups) -> AttributeStream:
        stream, start = None, 0
        for where, X in chunks:
            for part in self.before:
                X = part(X)
            if stream is None:
                # Each stretch draws for itself, and its share of the sample.
                own = (self.seed, where.start // STRETCH_ROWS)
                stream = self.eraser.new_stream([_GROUP], X.shape[1], self.n_rows, own)
            stream.update(X, encode_columns({_GROUP: routes[start : start + len(X)]}, len(X)))
            start += len(X)
        assert stream is not None
        return stream


@dataclass(frozen=True)
class _Mapped:
    """Passes over rows behind a map."""

    rows: Passes
    before: FittedMap

    @property
    def n_rows(self) -> int:
        return self.rows.n_rows

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        return self.rows.over(_OfMapped(self.before, function), *arrays)


@dataclass(frozen=True)
class _OfMapped:
    before: FittedMap
    function: Callable[..., Any]

    def __call__(self, chunks: Chunks, *arrays: Any) -> Any:
        return self.function(((where, self.before(X)) for where, X in chunks), *arrays)
