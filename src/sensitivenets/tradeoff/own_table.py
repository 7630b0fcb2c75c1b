"""A candidate carried out on a table without labels: fitted elsewhere, adapted, applied."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.moments.group import Int64
from sensitivenets.erasers.transport.adapt import Adapted, adapt
from sensitivenets.erasers.transport.gaussian import moments_of
from sensitivenets.erasers.transport.place import find_place, table_routes
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import FewRowsWarning
from sensitivenets.maps.affine import Affine
from sensitivenets.maps.base import FittedMap, Model
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.routed import Groups
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
    unlabelled: FloatArray,
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
    unlabelled : ndarray of shape (n, d)
        The rows that are to be protected.
    seed : int
        Decides everything random.

    Returns
    -------
    Model
        One round; it can be adapted.
    """
    before = _components(candidate.n_components, reference.vectors, unlabelled)
    X = reference.vectors if before is None else before(reference.vectors)
    eraser = RoutedTransport(n_rounds=1, rank=candidate.rank, random_state=seed)
    with warnings.catch_warnings():
        # It is about people like the reference's; the table has a forecast of its own.
        warnings.simplefilter("ignore", FewRowsWarning)
        model = eraser.fit(X, sensitive={name: reference.column(name) for name in names}).model_
    if before is None:
        return model
    return replace(
        model,
        map=Chain((before, model.map)),
        fingerprint={"primary": table_record(reference.vectors)},
    )


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
    return OnTable(adapted, phi, routes, find_place(phi).moved(X, routes))


def _means_moved(adapted: FittedMap, X: FloatArray, routes: Groups, seed: int) -> FittedMap:
    """Make the means of predicted groups alike, and nothing else; of one group they are."""
    before = find_place(adapted).before
    for part in before:
        X = part(X)
    if len(np.unique(routes)) < 2:
        nothing = np.eye(X.shape[1], dtype=np.float32)
        return Chain((*before, Affine(nothing, np.zeros(X.shape[1], dtype=np.float32))))
    eraser = LEACE(random_state=seed).fit(X, sensitive={"group": routes})
    return Chain((*before, eraser.model_.map))


def _components(n: int | None, *tables: FloatArray) -> Affine | None:
    """Return the projection on the largest principal components of the rows of all tables."""
    if n is None or n >= tables[0].shape[1]:
        return None
    first, *others = (moments_of(X, np.zeros(len(X), dtype=np.int64), 1) for X in tables)
    for other in others:
        first = first.merge(other)
    # Ascending eigenvalues.
    weight = np.linalg.eigh(first.covariances[0])[1][:, : -n - 1 : -1]
    return Affine(weight.astype(np.float32), (-first.means[0] @ weight).astype(np.float32))
