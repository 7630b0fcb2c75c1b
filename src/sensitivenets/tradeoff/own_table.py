"""A candidate carried out on a table without labels: fitted elsewhere, adapted, applied."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.moments.group import GroupMoments, GroupMomentStream, Int64
from sensitivenets.erasers.transport.adapt import Adapted, adapt
from sensitivenets.erasers.transport.gaussian import moments_of
from sensitivenets.erasers.transport.passes import Chunks, Passes, merged
from sensitivenets.erasers.transport.place import find_place, table_routes
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import FewRowsWarning
from sensitivenets.maps.affine import Affine
from sensitivenets.maps.base import FittedMap, Model
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.routed import Groups, moved_in_groups
from sensitivenets.tradeoff.candidates import Candidate


@dataclass(frozen=True)
class OnTable:
    """A table after a candidate.

    Attributes
    ----------
    adapted : Adapted
        The transport that its groups were found by, and its record.
    map : FittedMap
        What the candidate does to people who come later.
    routes : ndarray of shape (n,), int64
        Predicted group of each row; held while the table is worked on, and kept nowhere.
    vectors : ndarray of shape (n, k)
        The rows, moved by these groups.
    """

    adapted: Adapted
    map: FittedMap
    routes: Groups
    vectors: FloatArray


def fitted_on(
    reference: EmbeddingTable,
    names: Sequence[str],
    candidate: Candidate,
    unlabelled: FloatArray | Passes,
    seed: int,
) -> Model:
    """Learn the groups from a labelled reference, in the directions that a candidate keeps.

    Parameters
    ----------
    reference : EmbeddingTable
        With the attributes.
    names : sequence of str
        The attributes.
    candidate : Candidate
        Its components are those of the rows of both tables.
    unlabelled : ndarray of shape (n, d), or Passes
        The rows that are to be protected.
    seed : int
        Decides everything random.

    Returns
    -------
    Model
        One round; it can be adapted.
    """
    before = components(candidate, reference.vectors, unlabelled)
    X = reference.vectors if before is None else before(reference.vectors)
    sensitive = {name: reference.column(name) for name in names}
    with without_word_of_few_rows():
        model = one_round(candidate, seed).fit(X, sensitive=sensitive).model_
    return model if before is None else chained(before, model, table_record(reference.vectors))


def one_round(candidate: Candidate, seed: int) -> RoutedTransport:
    """Return what learns the groups, unfitted."""
    return RoutedTransport(n_rounds=1, rank=candidate.rank, random_state=seed)


@contextmanager
def without_word_of_few_rows() -> Iterator[None]:
    """Keep quiet of people like the reference's; the table has a forecast of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FewRowsWarning)
        yield


def chained(before: Affine, model: Model, record: Mapping[str, Any]) -> Model:
    """Put components before a model, whose fingerprint is then that of the rows before them."""
    return replace(model, map=Chain((before, model.map)), fingerprint={"primary": dict(record)})


def on_table(
    fitted: Model, candidate: Candidate, X: FloatArray, subjects: Int64 | None, seed: int
) -> OnTable:
    """Find the groups among the rows of a table, and do to them what the candidate does.

    Parameters
    ----------
    fitted : Model
        Of `fitted_on`, or another that can be adapted.
    candidate : Candidate
        How many directions are moved is up to `fitted`.
    X : ndarray of shape (n, d)
        All rows of the table.
    subjects : ndarray of shape (n,), int64, or None
        Code of each row's subject, -1 if unknown: rows of a subject are moved alike.
    seed : int
        Seed of the public code.

    Returns
    -------
    OnTable
        The table's rows, and the map for later ones.
    """
    adapted = adapt(fitted, X, subjects=subjects)
    routes = table_routes(adapted.map, X, subjects)
    if candidate.means_only:
        phi = candidate.behind(_means_moved(adapted.map, X, routes, seed), X, seed)
        return OnTable(adapted, phi, routes, phi(X))
    phi = candidate.behind(adapted.map, X, seed)
    return OnTable(adapted, phi, routes, moved_in_groups(phi, X, routes))


def _means_moved(adapted: FittedMap, X: FloatArray, routes: Groups, seed: int) -> FittedMap:
    """Make the means of predicted groups alike, and nothing else; of one group they are."""
    before = find_place(adapted).before
    for part in before:
        X = part(X)
    if len(np.unique(routes)) < 2:
        return Chain((*before, nothing_moved(X.shape[1])))
    eraser = LEACE(random_state=seed).fit(X, sensitive={"group": routes})
    return Chain((*before, eraser.model_.map))


def nothing_moved(n_features: int) -> Affine:
    """Return the map that leaves rows as they are."""
    return Affine(np.eye(n_features, dtype=np.float32), np.zeros(n_features, dtype=np.float32))


def components(candidate: Candidate, *tables: FloatArray | Passes) -> Affine | None:
    """Return the projection on the principal components that a candidate keeps of all tables."""
    n = candidate.n_components
    if n is None:
        return None
    first = merged(_moments(rows) for rows in tables)
    if n >= first.means.shape[1]:
        return None
    # Ascending eigenvalues.
    weight = np.linalg.eigh(first.covariances[0])[1][:, : -n - 1 : -1]
    return Affine(weight.astype(np.float32), (-first.means[0] @ weight).astype(np.float32))


def _moments(rows: FloatArray | Passes) -> GroupMoments:
    if isinstance(rows, np.ndarray):
        return moments_of(rows, np.zeros(len(rows), dtype=np.int64), 1)
    return merged(rows.over(_everyone))


def _everyone(chunks: Chunks) -> GroupMoments:
    stream = GroupMomentStream(1)
    for _, X in chunks:
        stream.update(X, np.zeros(len(X), dtype=np.int64))
    return stream.moments()
