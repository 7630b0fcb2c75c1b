"""Free labels from a public map: faces without labels have routes, and routes follow attributes.

A routed map moves each row by the group that it takes it for. Whoever has the map pushes any faces
through it and knows the route of each: pairs of embedding and route without end. What reads the
route of an embedding reads the attribute; a few true labels say which routes belong to which class.

Routes are worked out here, in memory, for rows the adversary owns. They are stored nowhere and
returned by nothing; those of the attacked rows are never looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from scipy.special import logsumexp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from sensitivenets.audit.advantages.rows_on_top import Tables
from sensitivenets.audit.attack import Advantage, Attacker
from sensitivenets.audit.attackers.linear_quadratic import regularised_qda
from sensitivenets.audit.attackers.local_votes import nearest_neighbours
from sensitivenets.audit.attackers.smooth_functions import mlp
from sensitivenets.audit.inversion import Phi, push
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.audit.results import INVERTED
from sensitivenets.audit.splits import IntArray
from sensitivenets.audit.tasks import ClassTask, class_scores
from sensitivenets.embeddings import FloatArray

#: More rows are not used: a hundred thousand estimate a covariance of hundreds of features.
MOST_ROWS = 100_000
# Rows of a route for it to be told apart at all.
_FEWEST = 20


@runtime_checkable
class Routed(Protocol):
    """A map, or a part of one, that finds a group for each row and moves the row by it."""

    def router(self, X: FloatArray) -> IntArray:
        """Group of each row."""
        ...

    def seen(self, X: FloatArray) -> FloatArray:
        """Rows as the router sees them."""
        ...


def routes_of(phi: Phi, X: FloatArray) -> IntArray | None:
    """Find the group of each row in each round of a map that has some.

    Parameters
    ----------
    phi : callable
        A map, perhaps a chain of parts.
    X : ndarray of shape (n, d)
        Rows before the map.

    Returns
    -------
    ndarray of shape (n, rounds), or None
        Group numbers; None if no part of the map routes.
    """
    found = []
    for part in getattr(phi, "parts", (phi,)):
        if isinstance(part, Routed):
            found.append(np.asarray(part.router(part.seen(X)), dtype=np.int64))
        X = part(X)
    return np.stack(found, axis=1) if found else None


def free_labels(
    tables: Tables, phi: Phi, faces: FloatArray, images: FloatArray | None = None, name: str = ""
) -> tuple[Advantage, ...]:
    """Let attackers learn the routes of any faces, those of the training rows among them.

    Parameters
    ----------
    tables : Tables
        The audited rows.
    phi : callable
        The map.
    faces : ndarray of shape (m, d)
        Rows without labels, before the map; there may be none.
    images : ndarray of shape (m, k), optional
        The same rows after the map, where they are known already.
    name : str
        Whose faces they are.

    Returns
    -------
    tuple of Advantage
        From free labels of the first round alone, stacked with the true ones, and, where there
        are more rounds, of all of them crossed: a chain may hide one attribute after the other.
        Empty if the map has no routes.
    """
    faces = faces[:MOST_ROWS]
    known = np.vstack([tables.before[: tables.n_train], faces.astype(tables.before.dtype)])
    found = routes_of(phi, known)
    if found is None:
        return ()
    more = push(phi, faces) if images is None else images[:MOST_ROWS]
    prepared = tables.with_rows(tables.after, more, (STANDARDISED, WHITENED))
    n_rows, n_train = len(tables.after), tables.n_train

    def learnt_from(
        kind: type[FreeLabelTask], rounds: IntArray
    ) -> Callable[[ClassTask], FreeLabelTask]:
        routes = np.full(n_rows + len(faces), -1, dtype=np.int64)
        numbered = _numbered(rounds)
        routes[:n_train], routes[n_rows:] = numbered[:n_train], numbered[n_train:]
        free = n_rows + np.flatnonzero(routes[n_rows:] >= 0)
        return lambda task: kind.of(task, routes, free)

    whose = f" of {name}" if name else ""
    first, quadratic = found[:, :1], _attackers()[:1]
    # What each has, the kind of task, rounds whose routes are crossed, and who learns them.
    ways = [
        (f"free labels{whose}", FreeLabelTask, first, _attackers()),
        (f"free labels{whose} and true ones", StackedTask, first, quadratic),
    ]
    if found.shape[1] > 1:
        ways.append((f"free labels{whose}, all rounds", FreeLabelTask, found, quadratic))
    return tuple(
        Advantage(means, INVERTED, prepared, learnt_from(kind, rounds), who)
        for means, kind, rounds, who in ways
    )


def _attackers() -> tuple[Attacker, ...]:
    network, near = mlp(1), nearest_neighbours()
    return (
        replace(regularised_qda(), preparations=(WHITENED,)),
        replace(network, preparations=(WHITENED,), candidates=network.candidates[2:]),
        replace(near, preparations=(STANDARDISED,), candidates=near.candidates[2:]),
    )


def _numbered(routes: IntArray) -> IntArray:
    """Give a number to each route through some rounds that has rows enough, -1 to the others."""
    _, index, counts = np.unique(routes, axis=0, return_inverse=True, return_counts=True)
    enough = counts >= _FEWEST
    return np.asarray(np.where(enough, np.cumsum(enough) - 1, -1)[index])


@dataclass(frozen=True, kw_only=True)
class FreeLabelTask(ClassTask):
    """An attribute that is read by way of the routes.

    Attributes
    ----------
    routes : ndarray of int64
        Of the rows of the prepared arrays; -1 of the test rows, and where unknown.
    free : ndarray of int64
        Rows without a label whose route is known.
    """

    routes: IntArray
    free: IntArray

    @classmethod
    def of(cls, task: ClassTask, routes: IntArray, free: IntArray) -> Self:
        """Add the routes to a task."""
        known = {field.name: getattr(task, field.name) for field in fields(ClassTask)}
        unknown = np.full(len(routes) - len(task.y), -1, dtype=np.int64)
        known["y"] = np.concatenate([task.y, unknown])
        return cls(**known, routes=routes, free=free)

    def fit_and_ask(
        self,
        model: Any,
        X: FloatArray,
        train: IntArray,
        test: IntArray,
        *,
        corrects_prior: bool,
        by_groups: bool = False,  # noqa: ARG002 - routes are the groups
    ) -> FloatArray:
        """Fit a classifier of routes; sum what it says to the classes, shape (n, K)."""
        rows = np.concatenate([self.free, train[self.routes[train] >= 0]])
        densities = self._of_routes(model, X, rows, test, corrects_prior=corrects_prior)
        return np.asarray(logsumexp(densities[:, None, :] + self._log_shares(train)[None], axis=2))

    def _of_routes(
        self, model: Any, X: FloatArray, rows: IntArray, asked: IntArray, *, corrects_prior: bool
    ) -> FloatArray:
        """Log densities of the routes in the rows asked about, shape (n, routes)."""
        counts = np.bincount(self.routes[rows], minlength=self._n_routes)
        prior = counts / counts.sum() if corrects_prior else None
        model.fit(np.asarray(X[rows], dtype=np.float64), self.routes[rows])
        return class_scores(model, np.asarray(X[asked], dtype=np.float64), self._n_routes, prior)

    @property
    def _n_routes(self) -> int:
        return int(self.routes.max()) + 1

    def _log_shares(self, train: IntArray) -> FloatArray:
        """Log share of each route in each class, shape (K, routes), by the true labels."""
        counts = np.full((len(self.classes), self._n_routes), 0.5)
        known = train[self.routes[train] >= 0]
        np.add.at(counts, (self.y[known], self.routes[known]), 1)
        return np.asarray(np.log(counts / counts.sum(axis=1, keepdims=True)))


@dataclass(frozen=True, kw_only=True)
class StackedTask(FreeLabelTask):
    """Free labels and true ones: what both say of a row is weighed by true labels of other rows."""

    def fit_and_ask(
        self,
        model: Any,
        X: FloatArray,
        train: IntArray,
        test: IntArray,
        *,
        corrects_prior: bool,
        by_groups: bool = False,  # noqa: ARG002 - routes are the groups
    ) -> FloatArray:
        """Fit a classifier of routes and one of classes, and a linear one of what they say."""
        halves = (train[::2], train[1::2])

        def said(known: IntArray, asked: IntArray) -> FloatArray:
            free = np.concatenate([self.free, known[self.routes[known] >= 0]])
            routes = self._of_routes(model, X, free, asked, corrects_prior=corrects_prior)
            own = clone(model).fit(np.asarray(X[known], dtype=np.float64), self.y[known])
            classes = class_scores(own, np.asarray(X[asked]), len(self.classes), None)
            return np.hstack([_centred(routes), _centred(classes)])

        learnt = np.vstack([said(halves[1 - k], half) for k, half in enumerate(halves)])
        scale = np.maximum(learnt.std(axis=0), 1e-12)
        weigh = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
        weigh.fit(learnt / scale, self.y[np.concatenate(halves)])
        return class_scores(weigh, said(train, test) / scale, len(self.classes), None)


def _centred(scores: FloatArray) -> FloatArray:
    return np.asarray(scores - scores.mean(axis=1, keepdims=True))
