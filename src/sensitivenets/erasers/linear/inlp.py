"""INLP: project out what a linear classifier reads, again and again."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.erasers.linear.linear_attacker import (
    centred_rows,
    fit_quietly,
    held_out,
    linear_attacker,
)
from sensitivenets.erasers.linear.streaming import low_rank_edit
from sensitivenets.erasers.moments.group import Float64, Int64
from sensitivenets.errors import CollapseWarning, DetectorWarning, require_int, require_real
from sensitivenets.maps.affine import LowRankEdit

# A direction of which less than this is new is one that is removed already.
_NEW = 1e-4


@parameterised
class INLP(Eraser):
    """Project out the weights of linear classifiers until they read nothing.

    Iterative null-space projection (Ravfogel et al., "Null It Out: Guarding Protected Attributes
    by Iterative Nullspace Projection", ACL 2020): a classifier of the attribute is fitted, its
    weight vectors are projected out of the rows, and so on, until a classifier is no better than
    chance on held-out rows. LEACE reaches the same with fewer directions; what INLP removes on top
    is what classifiers found when the class means were equal already, or nearly.

    Several attributes take turns, and share the basis of removed directions, which is kept
    orthonormal (Gram-Schmidt). Rows of the fit are copied once. `y` is not used.

    Parameters
    ----------
    n_iterations : int, default=35
        Classifiers to fit for each attribute, at most.
    margin : float, default=0.0
        An attribute is done when held-out balanced accuracy is no further above chance than this,
        in [0, 1], plus what guessing exceeds by luck one time in twenty.
    validation : float, default=0.2
        Share of the rows of each class that is held out.
    C : float, default=1.0
        Inverse regularisation of the logistic regression, on rows of unit mean variance.
    random_state : int, RandomState or None, default=None
        Decides which rows are held out.

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve has a record for each classifier: attribute,
        balanced_accuracy (held out), directions (removed so far).
    """

    n_iterations: int = 35
    margin: float = 0.0
    validation: float = 0.2
    C: float = 1.0

    def _learn(self, data: FitData) -> Learned:
        require_int("n_iterations", self.n_iterations, minimum=1)
        require_real("margin", self.margin, minimum=0.0, maximum=1.0)
        require_real("validation", self.validation, above=0.0, maximum=0.9)
        require_real("C", self.C, above=0.0)
        n_features = data.X_sensitive.shape[1]
        rows, mean = centred_rows(data.X_sensitive)
        basis, curve = self._removed(rows, data.attributes, data.seed)
        if basis.shape[1] == n_features:
            warnings.warn(
                f"all {n_features} directions were removed: the output is constant; remove fewer "
                "attributes or set n_iterations lower",
                CollapseWarning,
                stacklevel=3,
            )
        return Learned(low_rank_edit(basis, basis.T, mean), tuple(curve))

    def _removed(
        self, rows: FloatArray, attributes: Mapping[str, Labels], seed: int
    ) -> tuple[Float64, list[dict[str, Any]]]:
        """Find the directions, shape (d, r); `rows` lose them."""
        rng = np.random.default_rng(seed)
        tests = {
            name: labels.labelled & held_out(labels.codes, self.validation, rng)
            for name, labels in attributes.items()
        }
        attackers = {name: linear_attacker(self.C) for name in attributes}
        basis = np.zeros((rows.shape[1], 0))
        curve: list[dict[str, Any]] = []
        open_attributes = list(attributes)
        for round_ in range(self.n_iterations):
            for name in list(open_attributes):
                labels, test = attributes[name], tests[name]
                train = labels.labelled & ~test
                attacker = fit_quietly(attackers[name], rows[train], labels.codes[train])
                codes = labels.codes[test]
                accuracy = float(balanced_accuracy_score(codes, attacker.predict(rows[test])))
                chance = 1 / len(attacker.classes_)
                if accuracy <= chance + self.margin + _luck(codes, chance):
                    open_attributes.remove(name)
                    if round_ == 0:
                        _warn_not_read(name, accuracy, chance)
                else:
                    new = _orthonormal_part(attacker.coef_.T, basis)
                    if not new.shape[1]:
                        open_attributes.remove(name)
                    basis = np.concatenate([basis, new], axis=1)
                    _project_out(rows, new)
                curve.append({
                    "attribute": name,
                    "balanced_accuracy": accuracy,
                    "directions": basis.shape[1],
                })
        return basis, curve


def _luck(codes: Int64, chance: float) -> float:
    """By how much the balanced accuracy of guessing exceeds chance one time in twenty."""
    counts = np.unique(codes, return_counts=True)[1]
    return 1.645 * float(np.sqrt(chance * (1 - chance) * np.sum(1 / counts)) / len(counts))


def _orthonormal_part(columns: Float64, basis: Float64) -> Float64:
    """Gram-Schmidt: an orthonormal basis of what `columns` add to the span of `basis`."""
    found = basis
    for column in columns.T:
        length = np.linalg.norm(column)
        if length == 0:
            continue
        rest = column / length
        # Twice is enough (Giraud et al. 2005): rounding is what the second pass removes.
        for _ in range(2):
            rest = rest - found @ (found.T @ rest)
        new = np.linalg.norm(rest)
        if new > _NEW:
            found = np.concatenate([found, rest[:, None] / new], axis=1)
    return found[:, basis.shape[1] :]


def _project_out(rows: FloatArray, directions: Float64) -> None:
    zero = np.zeros(len(directions))
    edit: LowRankEdit = low_rank_edit(directions, directions.T, zero)
    edit(rows, out=rows)


def _warn_not_read(name: str, accuracy: float, chance: float) -> None:
    warnings.warn(
        f"attribute {name!r}: a linear classifier has a balanced accuracy of "
        f"{100 * accuracy:.1f} % on held-out rows, where chance is {100 * chance:.1f} %; nothing "
        "is removed for it",
        DetectorWarning,
        stacklevel=5,
    )
