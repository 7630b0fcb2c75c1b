"""IVE and Multi-IVE: leave out the features that decision trees need to read the attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.errors import InputError, require_int, require_one_of, require_real
from sensitivenets.maps.affine import Affine
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection

_FORESTS = {"random_forest": RandomForestClassifier, "extra_trees": ExtraTreesClassifier}

Forest = Literal["random_forest", "extra_trees"]


@parameterised
class _Elimination(Eraser):
    """Leaves out features step by step.

    Parameters
    ----------
    removed : float, default=0.5
        Share of the features to leave out; one always stays.
    n_steps : int, default=20
        Steps to do it in: more are slower, and notice better that one feature replaces another.
    n_trees : int, default=30
        Trees of a forest.
    forest : {"random_forest", "extra_trees"}, default="random_forest"
        How trees split: at the best threshold, or at random ones, which is faster.
    attribute_weights : mapping of str to float, optional
        Weight of an attribute's importances; 1 unless given.
    n_jobs : int, optional
        Threads of a forest, as in scikit-learn; the result does not depend on it.
    """

    removed: float = 0.5
    n_steps: int = 20
    n_trees: int = 30
    forest: Forest = "random_forest"
    attribute_weights: Mapping[str, float] | None = None
    n_jobs: int | None = None

    def _check(self) -> None:
        require_real("removed", self.removed, above=0.0, maximum=1.0)
        require_int("n_steps", self.n_steps, minimum=1)
        require_int("n_trees", self.n_trees, minimum=1)
        require_one_of("forest", self.forest, list(_FORESTS))
        for name, weight in (self.attribute_weights or {}).items():
            require_real(f"attribute_weights[{name!r}]", weight, minimum=0.0)

    def _kept(
        self, X: FloatArray, attributes: Mapping[str, Labels], n_protected: int, seed: int
    ) -> tuple[npt.NDArray[np.bool_], list[dict[str, Any]]]:
        """Leave out features step by step.

        Parameters
        ----------
        X : ndarray of shape (m, d)
            Rows that the attributes belong to.
        attributes : mapping of str to Labels
            Their importances are added up.
        n_protected : int
            The first features, which always stay.
        seed : int
            Of the forests.

        Returns
        -------
        kept : ndarray of shape (d,), bool
            The features that stay.
        curve : list of dict
            A record a step: features left, and the importance of those left out.
        """
        weights = self._weights(attributes)
        kept = np.ones(X.shape[1], dtype=bool)
        seeds = np.random.default_rng(seed)
        curve = []
        for n_removed in self._schedule(X.shape[1], n_protected):
            columns = np.flatnonzero(kept)
            importances = np.zeros(len(columns))
            for name, labels in attributes.items():
                forest = _FORESTS[self.forest](
                    n_estimators=self.n_trees,
                    random_state=int(seeds.integers(2**31)),
                    n_jobs=self.n_jobs,
                )
                rows = labels.labelled
                forest.fit(X[np.ix_(rows, columns)], labels.codes[rows])
                importances += weights[name] * forest.feature_importances_
            importances[columns < n_protected] = -np.inf
            worst = np.argsort(importances, kind="stable")[len(columns) - n_removed :]
            kept[columns[worst]] = False
            curve.append({
                "features": int(kept.sum()),
                "removed_importance": float(importances[worst].sum()),
            })
        return kept, curve

    def _schedule(self, n_features: int, n_protected: int) -> list[int]:
        """Features to leave out in each step; one always stays."""
        total = min(round(self.removed * n_features), n_features - max(n_protected, 1))
        if total < 1:
            raise InputError(
                f"removed: {self.removed} of {n_features} features, of which {n_protected} are "
                "protected, is none; ask for more or protect fewer"
            )
        steps = min(self.n_steps, total)
        return [total // steps + (step < total % steps) for step in range(steps)]

    def _weights(self, attributes: Mapping[str, Labels]) -> dict[str, float]:
        given = dict(self.attribute_weights or {})
        unknown = sorted(set(given) - set(attributes))
        if unknown:
            raise InputError(
                f"attribute_weights: {unknown} not among the attributes to remove, "
                f"{list(attributes)}"
            )
        return {name: given.get(name, 1.0) for name in attributes}


@parameterised
class IVE(_Elimination):
    """Leave out the features that read the attributes best, a few at a time.

    Incremental variable elimination (Terhörst, Damer, Kirchbuchner and Kuijper, "Suppressing
    Gender and Age in Face Templates Using Incremental Variable Elimination", ICB 2019). In each
    step a forest reads each attribute from the features that are left; the features of the largest
    importance are left out, and the next forest has to do without them. What stays of a row is
    unchanged, so the embedding is only shorter: an attribute that all features share a little of
    stays readable.

    Several attributes: their importances, each summing to one, are added up with weights. The
    target `y` is not used.

    Parameters
    ----------
    removed : float, default=0.5
        Share of the features to leave out; one always stays. The original experiment leaves out
        5 features in each of 20 steps.

    Attributes
    ----------
    model_ : Model
        Its map is `FeatureSelection`; its curve has a record a step.
    """

    def _learn(self, data: FitData) -> Learned:
        self._check()
        kept, curve = self._kept(data.X_sensitive, data.attributes, 0, data.seed)
        return Learned(FeatureSelection(kept), tuple(curve))


@parameterised
class MultiIVE(_Elimination):
    """Leave out the principal components that read the attributes best, a few at a time.

    Multi-IVE (Melzi et al., "Multi-IVE: Privacy Enhancement of Multiple Soft-Biometrics in Face
    Embeddings", WACV Workshops 2023): `IVE` for several attributes at once, among the principal
    components of the embeddings instead of their features. Components are uncorrelated, so that
    another does not simply replace the one that is left out.

    Several attributes: their importances, each summing to one, are added up with weights. The
    target `y` is not used. Components come from all of `X`, importances from the labelled rows.

    Parameters
    ----------
    removed : float, default=0.5
        Share of the components to leave out; one always stays.
    n_protected : int, default=0
        The first principal components, which carry most of the identity, that always stay.

    Attributes
    ----------
    model_ : Model
        Its map is an `Affine` to the components, then `FeatureSelection`; its curve has a record a
        step.
    """

    n_protected: int = 0

    def _learn(self, data: FitData) -> Learned:
        self._check()
        require_int("n_protected", self.n_protected, minimum=0)
        components = _principal_components(data.X)
        kept, curve = self._kept(
            components(data.X_sensitive), data.attributes, self.n_protected, data.seed
        )
        return Learned(Chain((components, FeatureSelection(kept))), tuple(curve))


def _principal_components(X: FloatArray) -> Affine:
    """Map to the principal components of `X`: min(n, d) of them, largest variance first."""
    pca = PCA().fit(np.asarray(X, dtype=np.float64))
    weight = pca.components_.T
    bias = -pca.mean_ @ weight
    return Affine(weight.astype(np.float32), bias.astype(np.float32))
