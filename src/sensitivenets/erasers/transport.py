"""Routed transport: predicted groups are moved onto one common Gaussian."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.affine import Affine
from sensitivenets.embeddings import FloatArray
from sensitivenets.erasers.base import Eraser, FitData, Learned, unchanged
from sensitivenets.erasers.cells import align_cells
from sensitivenets.erasers.gaussian import (
    barycentre,
    moments_of,
    occupied_directions,
    shrink,
    transport_matrices,
)
from sensitivenets.erasers.group_maps import Groups, GroupTransport, RoutedMap, Stage
from sensitivenets.erasers.router import Router, fit_router
from sensitivenets.erasers.subspace import SubspaceMap, difference_basis
from sensitivenets.errors import InputError
from sensitivenets.labels import Labels, joint
from sensitivenets.map_kinds import Chain
from sensitivenets.model import FittedMap
from sensitivenets.moments import GroupMoments
from sensitivenets.parameter_checks import require_int, require_real

# Rows that a group needs: with fewer, its mean alone is anybody's guess.
_MIN_ROWS = 20
_SHRINKAGES = (0.03, 0.1, 0.3, 0.6, 0.9)


class RoutedTransport(Eraser):
    """Make every predicted group the same Gaussian, by optimal transport, again and again.

    A router, quadratic discriminant analysis in closed form, says which group (gender x ethnicity,
    say) a row looks like; the optimal-transport map of that group moves it to the Wasserstein
    barycentre of all groups and the result is normalised. Means and covariances then agree across
    the groups as they are *predicted*, which removes more than matching the true groups: rows of
    the true groups overlap where the router errs, and what a new router still finds there, the
    next round removes. No attribute is needed to transform.

    Directions that the rows leave empty (variance below a millionth of the largest) are dropped
    first: the output then has fewer features than the input.

    Parameters
    ----------
    n_rounds : int, default=3
        Routers, each fitted on what the rounds before left, each with its transport.
    n_cell_rounds : int, default=0
        Rounds of cell alignment after the first transport, with its routes.
    n_cells : int, default=256
        Cells of each such round.
    rank : int, optional
        Directions that a round looks at and moves, those in which the groups differ most there;
        all unless given. For wide embeddings: a row costs rank x d operations instead of
        groups x d^2, and attackers read a little more (docs/best_eraser.md).
    router_shrinkage : float, optional
        Share of the pooled covariance in each group's, for the router; chosen on held-out rows
        unless given.
    covariance_shrinkage : float, optional
        The same for the transport; features / (features + rows of the smallest group) unless
        given.
    random_state : int, RandomState or None, default=None
        Draws the held-out rows and the first cells.

    Attributes
    ----------
    model_ : Model
        The fitted map with its record; the curve says how well each round's router did.

    Examples
    --------
    >>> from sensitivenets.datasets.synthetic import synthetic_diveface
    >>> table = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0)
    >>> eraser = RoutedTransport(n_rounds=1, random_state=0)
    >>> eraser.fit(table.vectors, sensitive={"gender": table.column("gender")})
    RoutedTransport(n_rounds=1, random_state=0)
    >>> eraser.transform(table.vectors).shape
    (900, 32)
    """

    def __init__(
        self,
        *,
        n_rounds: int = 3,
        n_cell_rounds: int = 0,
        n_cells: int = 256,
        rank: int | None = None,
        router_shrinkage: float | None = None,
        covariance_shrinkage: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_rounds = n_rounds
        self.n_cell_rounds = n_cell_rounds
        self.n_cells = n_cells
        self.rank = rank
        self.router_shrinkage = router_shrinkage
        self.covariance_shrinkage = covariance_shrinkage
        self.random_state = random_state

    def _learn(self, data: FitData) -> Learned:
        self._check_parameters()
        X = data.X_sensitive
        if not data.attributes:
            return unchanged(X.shape[1])
        groups = joint(data.attributes)
        require_rows(groups)
        basis = occupied_directions(X)
        if basis is not None:
            X = X @ basis
        # With as many directions as features a subspace is the whole space.
        rank = None if self.rank is None or self.rank >= X.shape[1] else self.rank
        rng = np.random.default_rng(data.seed)
        parts: list[FittedMap] = []
        curve = []
        for number in range(self.n_rounds):
            n_cell_rounds = self.n_cell_rounds if number == 0 else 0
            part, X, accuracy = (
                self._round(X, groups, n_cell_rounds, rng)
                if rank is None
                else self._subspace_round(X, groups, rank, rng)
            )
            parts.append(part)
            curve.append({"round": number + 1, "router": accuracy})
        if basis is not None:
            # Part of the first round: a part is a round to who takes only some of them.
            parts[0] = Chain((Affine(basis, np.zeros_like(basis[0])), parts[0]))
        return Learned(Chain(tuple(parts)), tuple(curve))

    def _round(
        self, X: FloatArray, labels: Labels, n_cell_rounds: int, rng: np.random.Generator
    ) -> tuple[RoutedMap, FloatArray, dict[str, float]]:
        """Return the map of one round, the rows after it, and how well its router did."""
        router, accuracy = route(X, labels, self.router_shrinkage, rng)
        groups = router(X)
        transport = fit_transport(X, groups, router.n_groups, self.covariance_shrinkage)
        stages: list[Stage] = [transport]
        moved = transport(X, groups)
        for _ in range(n_cell_rounds):
            stage = align_cells(
                moved, groups, router.n_groups, self.n_cells, seed=int(rng.integers(2**31))
            )
            moved = stage(moved, groups)
            stages.append(stage)
        return RoutedMap(router, tuple(stages)), moved, accuracy

    def _subspace_round(
        self, X: FloatArray, labels: Labels, rank: int, rng: np.random.Generator
    ) -> tuple[SubspaceMap, FloatArray, dict[str, float]]:
        """Return the same, by the directions in which the groups differ most now."""
        basis = difference_basis(moments_of(X, labels.codes, len(labels.classes)), rank)
        coordinates = X @ basis
        router, accuracy = route(coordinates, labels, self.router_shrinkage, rng)
        groups = router(coordinates)
        transport = fit_transport(coordinates, groups, router.n_groups, self.covariance_shrinkage)
        moves = SubspaceMap(basis, router, transport)
        return moves, moves(X, groups), accuracy

    def _check_parameters(self) -> None:
        require_int("n_rounds", self.n_rounds, minimum=1)
        if self.rank is not None:
            require_int("rank", self.rank, minimum=1)
            if self.n_cell_rounds:
                raise InputError(
                    f"rank={self.rank}: cells are aligned in all directions; expected "
                    f"n_cell_rounds=0 with a rank, found {self.n_cell_rounds}"
                )
        require_int("n_cell_rounds", self.n_cell_rounds, minimum=0)
        require_int("n_cells", self.n_cells, minimum=2)
        for name in ("router_shrinkage", "covariance_shrinkage"):
            value = getattr(self, name)
            if value is not None:
                require_real(name, value, minimum=0, maximum=1)


def require_rows(groups: Labels) -> None:
    """Refuse groups too small to have a mean and a spread.

    Raises
    ------
    InputError
        Naming each such group and its rows.
    """
    small = {name: n for name, n in groups.counts().items() if n < _MIN_ROWS}
    if small:
        listed = ", ".join(f"{name!r} ({n} rows)" for name, n in small.items())
        raise InputError(
            f"groups {groups.name}: expected at least {_MIN_ROWS} labelled rows in each, found "
            f"{listed}; give more rows, merge these classes, or remove fewer attributes at once"
        )


def route(
    X: FloatArray, labels: Labels, shrinkage: float | None, rng: np.random.Generator
) -> tuple[Router, dict[str, float]]:
    """Fit a router on the labelled rows, its shrinkage chosen on a held-out fifth.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings.
    labels : Labels
        Group of each row, or unlabelled.
    shrinkage : float, optional
        Used as it is if given.
    rng : numpy.random.Generator
        Draws the held-out rows.

    Returns
    -------
    router : Router
        Fitted on all labelled rows.
    accuracy : dict
        The shrinkage and the held-out balanced accuracy, in [0, 1].
    """
    rows = rng.permutation(np.flatnonzero(labels.labelled))
    held_out, kept = rows[: len(rows) // 5], rows[len(rows) // 5 :]
    k, codes = len(labels.classes), labels.codes
    moments = moments_of(X[kept], codes[kept], k)
    everyone = moments.merge(moments_of(X[held_out], codes[held_out], k))
    tried = {}
    for amount in _SHRINKAGES if shrinkage is None else (shrinkage,):
        predicted = fit_router(moments, amount)(X[held_out])
        tried[amount] = float(balanced_accuracy_score(codes[held_out], predicted))
    best = max(tried, key=lambda amount: tried[amount])
    return fit_router(everyone, best), {"shrinkage": best, "balanced_accuracy": tried[best]}


def fit_transport(
    X: FloatArray, groups: Groups, n_groups: int, shrinkage: float | None = None
) -> GroupTransport:
    """Fit the optimal-transport map of each group to the barycentre of all, equally weighted.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Embeddings.
    groups : ndarray of shape (n,)
        Group of each row, 0 to ``n_groups - 1``.
    n_groups : int
        Groups; one without rows is left where it is.
    shrinkage : float, optional
        Share of the pooled covariance in each group's; from the smallest group unless given.

    Returns
    -------
    GroupTransport
        Frozen.
    """
    return transport_of(moments_of(X, groups, n_groups), shrinkage)


def transport_of(moments: GroupMoments, shrinkage: float | None = None) -> GroupTransport:
    """Fit the same from moments alone: streamed, merged, of any number of rows.

    Parameters
    ----------
    moments : GroupMoments
        Of the groups; one without rows is left where it is.
    shrinkage : float, optional
        Share of the pooled covariance in each group's; from the smallest group unless given.

    Returns
    -------
    GroupTransport
        Frozen.
    """
    n_groups, d = moments.means.shape
    seen: npt.NDArray[np.bool_] = moments.counts > 1
    if shrinkage is None:
        shrinkage = d / (d + float(moments.counts[seen].min()))
    shrunk = shrink(moments.covariances[seen], shrinkage)
    center = moments.means[seen].mean(axis=0)
    matrices = np.repeat(np.eye(d)[None], n_groups, axis=0)
    matrices[seen] = transport_matrices(shrunk, barycentre(shrunk))
    starts = np.where(seen[:, None], moments.means, center)
    offsets = center - np.einsum("gi,gij->gj", starts, matrices)
    return GroupTransport(matrices.astype(np.float32), offsets.astype(np.float32))
