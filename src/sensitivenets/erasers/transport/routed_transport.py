"""Routed transport: predicted groups are moved onto one common Gaussian."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.utils import check_random_state

from sensitivenets.embeddings import FloatArray, Labels, squared_norms
from sensitivenets.embeddings.labels import joint
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.erasers.transport.adaptable import Adaptable
from sensitivenets.erasers.transport.forecast import round_record, warn_of_few_rows
from sensitivenets.erasers.transport.gaussian import (
    difference_basis,
    moments_of,
    most_directions,
    occupied_directions,
)
from sensitivenets.erasers.transport.passes import (
    IN_NUMPY,
    Blocks,
    HeldRows,
    Passes,
    Products,
    learn_in_passes,
)
from sensitivenets.erasers.transport.steps import (
    align_cells,
    chain_of,
    fit_transport,
    require_rows,
    route,
)
from sensitivenets.errors import InputError, require_int, require_real
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.routed import RoutedMap, Stage, SubspaceMap, usual_lengths


@parameterised
class RoutedTransport(Adaptable, Eraser):
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
        all unless given, or, of fewer rows than features, those that the rows span. For wide
        embeddings: a row costs rank x d operations instead of groups x d^2, and attackers read a
        little more (docs/best_eraser_results.md).
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
        The fitted map with its record; the curve says how well each round's router did, and, from
        the rows of its predicted groups, what is left for people who were not among the rows
        (`transport.forecast`).

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

    n_rounds: int = 3
    n_cell_rounds: int = 0
    n_cells: int = 256
    rank: int | None = None
    router_shrinkage: float | None = None
    covariance_shrinkage: float | None = None

    _learns_from_unlabelled: ClassVar[bool] = True

    def _learn(self, data: FitData) -> Learned:
        self._check()
        X = data.X_sensitive
        groups = joint(data.attributes)
        require_rows(groups)
        everyone = moments_of(X, np.zeros(len(X), dtype=np.int64), 1)
        basis = occupied_directions(everyone)
        if basis is not None:
            X = X @ basis
        rank = None if self.n_cell_rounds else most_directions(self.rank, *X.shape)
        rng = np.random.default_rng(data.seed)
        parts: list[FittedMap] = []
        curve = []
        for number in range(self.n_rounds):
            n_cell_rounds = self.n_cell_rounds if number == 0 else 0
            # Behind a round rows are of unit length.
            lengths = usual_lengths(squared_norms(X)) if number == 0 else None
            part, X, record = (
                self._round(X, groups, n_cell_rounds, rng)
                if rank is None
                else self._subspace_round(X, groups, rank, rng)
            )
            parts.append(replace(part, lengths=lengths))
            curve.append({"round": number + 1} | record)
        warn_of_few_rows(curve)
        return Learned(chain_of(parts, basis), tuple(curve))

    def fit_passes(
        self,
        rows: Blocks | Passes,
        attributes: Mapping[str, Labels],
        products: Products = IN_NUMPY,
    ) -> Self:
        """Fit on rows that are read again and again instead of held: two passes a round.

        Parameters
        ----------
        rows : callable or Passes
            Begins a pass: returns all rows, float32, block by block, the same every time; or rows
            that are gone through elsewhere, as `fit_table` does.
        attributes : mapping of str to Labels
            Attributes to remove, for all rows.
        products : Products, optional
            Who multiplies; numpy unless given.

        Returns
        -------
        Self
            Itself; moments are added up in another order than `fit` adds them.

        Raises
        ------
        InputError
            If a parameter or the data cannot be used; cells need all rows at once.
        """
        self._check()
        if self.n_cell_rounds:
            raise InputError(
                f"n_cell_rounds: expected 0 to fit in passes, found {self.n_cell_rounds}; cells "
                "need all rows at once: call fit"
            )
        groups = joint(attributes)
        require_rows(groups)
        seed = int(check_random_state(self.random_state).randint(2**31))
        passes = HeldRows(rows, len(groups)) if callable(rows) else rows
        learned = learn_in_passes(
            passes,
            groups,
            n_rounds=self.n_rounds,
            rank=self.rank,
            router_shrinkage=self.router_shrinkage,
            covariance_shrinkage=self.covariance_shrinkage,
            rng=np.random.default_rng(seed),
            products=products,
        )
        self.n_features_in_ = learned.map.n_features_in
        removed = {name: labels.classes for name, labels in attributes.items()}
        self.model_ = self._record(learned, removed, {})
        return self

    def _round(
        self, X: FloatArray, labels: Labels, n_cell_rounds: int, rng: np.random.Generator
    ) -> tuple[RoutedMap, FloatArray, dict[str, Any]]:
        """Return the map of one round, the rows after it, and the record of both."""
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
        counts = np.bincount(groups, minlength=router.n_groups)
        return RoutedMap(router, tuple(stages)), moved, round_record(accuracy, counts, router)

    def _subspace_round(
        self, X: FloatArray, labels: Labels, rank: int, rng: np.random.Generator
    ) -> tuple[SubspaceMap, FloatArray, dict[str, Any]]:
        """Return the same, by the directions in which the groups differ most now."""
        basis = difference_basis(moments_of(X, labels.codes, len(labels.classes)), rank)
        coordinates = X @ basis
        router, accuracy = route(coordinates, labels, self.router_shrinkage, rng)
        groups = router(coordinates)
        transport = fit_transport(coordinates, groups, router.n_groups, self.covariance_shrinkage)
        edit = SubspaceMap(basis, router, transport)
        counts = np.bincount(groups, minlength=router.n_groups)
        return edit, edit(X, groups), round_record(accuracy, counts, router)

    def _check(self) -> None:
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
