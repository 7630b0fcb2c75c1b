"""A routed map undone exactly: one linear system a group, and a network that knows a natural face.

Each round moves a row of unit length by the matrix of its group and makes it a unit row again. For
every group that can be undone: what was divided out is the root of a quadratic. A good map leaves
one solution for each group, all of them as likely under the router's Gaussians: the face that was,
and the faces that it would have been. Whoever has faces of any people, without a label, can push
them through the map, undo it, and train a network to tell the first from the others.

The trained inverter of `inversion` undoes any map roughly; this one undoes these maps exactly, and
takes away the doubt whether the inverter was strong enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sensitivenets.audit.advantages.rows_on_top import Tables
from sensitivenets.audit.attack import Advantage, Attacker
from sensitivenets.audit.attackers.linear_quadratic import RegularisedQDA
from sensitivenets.audit.attackers.smooth_functions import MLPAttacker
from sensitivenets.audit.inversion import Phi, push
from sensitivenets.audit.preparations import STANDARDISED, WHITENED, prepare
from sensitivenets.audit.results import INVERTED
from sensitivenets.audit.splits import IntArray
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import near_rows

# Solutions of a row that are carried on to the round before.
_KEPT = 2
# Faces to learn from what is natural: there are as many candidates as groups of each.
_MOST_FACES = 8000
# Candidates of a kind that Gaussians are fitted to.
_FEWEST = 20
# Log density that a row loses for a route that is not its own.
_UNFIT = 1e6


class _Matrices(Protocol):
    """A stage that moves each group by a matrix and an offset."""

    matrices: FloatArray
    offsets: FloatArray


@runtime_checkable
class Round(Protocol):
    """One round of a routed map: a router, and stages of which the first moves each group."""

    router: Any
    stages: tuple[Any, ...]


def exact_inverse(
    tables: Tables,
    phi: Phi,
    faces: FloatArray,
    attackers: tuple[Attacker, ...],
    random_state: int,
) -> tuple[Advantage, ...]:
    """Let attackers look at the rows that a routed map is undone to.

    Parameters
    ----------
    tables : Tables
        The audited rows; the adversary has those of the training rows before the map.
    phi : callable
        The map.
    faces : ndarray of shape (m, d)
        More rows without labels, before the map; there may be none.
    attackers : tuple of Attacker
        Who looks.
    random_state : int
        The seed.

    Returns
    -------
    tuple of Advantage
        One, or none if the map is not made of rounds with one matrix a group.
    """
    rounds = rounds_of(phi)
    if not rounds:
        return ()
    known = np.vstack([tables.before[: tables.n_train], faces.astype(tables.before.dtype)])
    recovered = _natural(rounds, tables, known, push(phi, known), random_state)
    prepared = prepare(recovered.astype(np.float32), tables.n_train, names=(STANDARDISED, WHITENED))
    return (Advantage("exact inverse", INVERTED, prepared, lambda task: task, attackers),)


def _natural(
    rounds: tuple[Round, ...], tables: Tables, known: FloatArray, images: FloatArray, seed: int
) -> FloatArray:
    """Undo the map on every audited row, and choose what looks like a face that was.

    A training row is judged by a network that was not trained on it, as a test row is.
    """
    candidates, likely = undo(rounds, tables.after)
    half = np.arange(len(known)) % 2
    learning = np.arange(len(known)) % (2 * max(len(known) // _MOST_FACES, 1)) < 2
    learning &= near_rows(known, tables.n_train)
    learnt, learnt_likely = undo(rounds, images[learning])
    scores = np.zeros(likely.shape)
    rows = np.arange(len(candidates))
    for k in (0, 1):
        own = half[learning] == k
        judge = _Judge.train(learnt[own], learnt_likely[own], known[learning][own], seed + k)
        asked = (rows >= tables.n_train) | (half[np.minimum(rows, len(half) - 1)] != k)
        scores[asked] += judge(candidates[asked])
    best = (scores - np.where(likely > -_UNFIT / 2, 0.0, _UNFIT)).argmax(axis=1)
    return np.asarray(candidates[rows, best])


@dataclass(frozen=True)
class _Judge:
    """Tells the faces that were from those that would have been: Gaussians and a network."""

    gaussians: tuple[RegularisedQDA | None, ...]
    network: MLPAttacker

    @classmethod
    def train(
        cls, candidates: FloatArray, likely: FloatArray, faces: FloatArray, seed: int
    ) -> _Judge:
        like_the_face = np.einsum("ngd,nd->ng", candidates, faces)
        natural = np.zeros(likely.shape, dtype=np.int64)
        natural[np.arange(len(faces)), like_the_face.argmax(axis=1)] = 1
        shown = (likely > -_UNFIT / 2) | (natural == 1)
        gaussians = tuple(
            _gaussians(candidates[shown[:, g], g], natural[shown[:, g], g])
            for g in range(likely.shape[1])
        )
        network = MLPAttacker((128,), 6, seed)
        return cls(gaussians, network.fit(_with_group(candidates)[shown], natural[shown]))

    def __call__(self, candidates: FloatArray) -> FloatArray:
        """Score of each candidate, shape (n, groups); higher means more like a face that was."""
        n, n_groups, d = candidates.shape
        flat = _with_group(candidates).reshape(-1, d + n_groups)
        shares = np.log(np.maximum(self.network.predict_proba(flat), 1e-12))
        scores = (shares[:, 1] - shares[:, 0]).reshape(n, n_groups)
        for g, gaussian in enumerate(self.gaussians):
            if gaussian is not None:
                densities = gaussian.decision_function(candidates[:, g])
                scores[:, g] += densities[:, 1] - densities[:, 0]
        return np.asarray(scores)


def _gaussians(rows: FloatArray, natural: IntArray) -> RegularisedQDA | None:
    if np.bincount(natural, minlength=2).min() < _FEWEST:
        return None
    return RegularisedQDA(0.0, 0.2).fit(rows, natural)


def _with_group(candidates: FloatArray) -> FloatArray:
    n, n_groups, _ = candidates.shape
    group = np.broadcast_to(np.eye(n_groups), (n, n_groups, n_groups))
    # Unit rows of many features are small numbers; a network wants them near one.
    return np.concatenate([candidates * np.sqrt(candidates.shape[2]), group], axis=2)


def rounds_of(phi: Phi) -> tuple[Round, ...]:
    """Return the rounds of a map, or none if a part of it cannot be undone so."""
    parts = tuple(getattr(phi, "parts", (phi,)))
    return parts if all(map(_can_be_undone, parts)) else ()


def _can_be_undone(part: Any) -> bool:
    return isinstance(part, Round) and len(part.stages) == 1 and hasattr(part.stages[0], "matrices")


def undo(rounds: tuple[Round, ...], images: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Undo the rounds of a map, the last one first.

    Parameters
    ----------
    rounds : tuple of Round
        In the order they are applied in.
    images : ndarray of shape (n, d)
        Rows after the map.

    Returns
    -------
    rows : ndarray of shape (n, groups, d), float64
        For each group of the first round, the likeliest row that the map takes to the image.
    likely : ndarray of shape (n, groups)
        Log density of the image, of that row, up to a constant; very low where its route is
        another group.
    """
    rows: FloatArray = np.asarray(images, dtype=np.float64)[:, None, :]
    likely: FloatArray = np.zeros(rows.shape[:2])
    for one in reversed(rounds[1:]):
        found, density = _undo_round(one, rows, likely)
        # Later rounds move rows little: what their groups give is nearly the same.
        rows, likely = _best(found, density, _KEPT)
    found, density = _undo_round(rounds[0], rows, likely)
    n_groups = found.shape[1]
    each = [_best(found[:, [g]], density[:, [g]], 1) for g in range(n_groups)]
    return np.hstack([one[0] for one in each]), np.hstack([one[1] for one in each])


def _best(rows: FloatArray, likely: FloatArray, kept: int) -> tuple[FloatArray, FloatArray]:
    """Keep the likeliest of rows (n, groups, solutions, d) as (n, kept, d), with their density."""
    n, d = len(rows), rows.shape[-1]
    rows, likely = rows.reshape(n, -1, d), likely.reshape(n, -1)
    order = np.argsort(-likely, axis=1, kind="stable")[:, :kept]
    return (
        np.take_along_axis(rows, order[:, :, None], axis=1),
        np.take_along_axis(likely, order, axis=1),
    )


def _undo_round(
    one: Round, images: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Solve for every group: rows (n, groups, solutions, d), and their log densities."""
    n, _, d = images.shape
    stage: _Matrices = one.stages[0]
    lengths = getattr(one, "lengths", None)
    length = 1.0 if lengths is None else float(lengths[1])
    found, likely = [], []
    for group in range(len(stage.matrices)):
        matrix = stage.matrices[group].astype(np.float64)
        rows, scales = _solve(matrix, stage.offsets[group], images.reshape(-1, d), length)
        scores = np.asarray(one.router.scores(rows.reshape(-1, d)), dtype=np.float64)
        fits = (scores.argmax(axis=1) == group) & (scales.ravel() > 0)
        # The volume of images that a volume of rows around each is spread over.
        volume = np.linalg.slogdet(matrix)[1] - d * np.log(np.maximum(scales.ravel(), 1e-30))
        density = scores[:, group] - volume - np.where(fits, 0.0, _UNFIT)
        found.append(rows.reshape(2, n, -1, d))
        likely.append(density.reshape(2, n, -1) + weights)
    # From (groups, 2, n, images) to (n, groups, both).
    solved, total = np.stack(found), np.stack(likely)
    n_groups = len(total)
    return (
        solved.transpose(2, 0, 1, 3, 4).reshape(n, n_groups, -1, d),
        total.transpose(2, 0, 1, 3).reshape(n, n_groups, -1),
    )


def _solve(
    matrix: FloatArray, offset: FloatArray, images: FloatArray, length: float
) -> tuple[FloatArray, FloatArray]:
    """Rows x of a length with x @ matrix + offset = scale * image: two, and their scales.

    Returns
    -------
    rows : ndarray of shape (2, n, d)
        Of the given length.
    scales : ndarray of shape (2, n)
        Not positive where there is no such row.
    """
    inverse = np.linalg.pinv(matrix)
    a, c = images @ inverse, offset @ inverse
    squares, mixed = np.einsum("ij,ij->i", a, a), a @ c
    root = mixed**2 - squares * (c @ c - length**2)
    root = np.where(root >= 0, np.sqrt(np.maximum(root, 0)), np.nan)
    scales = np.nan_to_num(np.stack([mixed + root, mixed - root]) / squares, nan=-1.0)
    rows = scales[:, :, None] * a - c
    lengths = np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-30)
    return rows * (length / lengths), scales
