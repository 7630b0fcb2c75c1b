"""R-LACE: the few directions whose removal a linear classifier minds most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.erasers.linear.linear_attacker import centred_rows, fit_quietly, linear_attacker
from sensitivenets.erasers.linear.streaming import low_rank_edit
from sensitivenets.erasers.moments.group import Float64, Int64
from sensitivenets.erasers.moments.pooled import PooledMomentStream
from sensitivenets.errors import InputError, require_int, require_one_of, require_real

Init = Literal["class_means", "random"]
# A turn smaller than this changes no accuracy.
_SMALLEST_STEP = 1e-3


@parameterised
class RLACE(Eraser):
    """Project out k directions so that the best linear classifier reads as little as possible.

    Relaxed linear adversarial concept erasure (Ravfogel, Twiton, Goldberg and Cotterell, "Linear
    Adversarial Concept Erasure", ICML 2022): max over orthonormal U (d, k) of min over classifiers
    of their log loss on x - U U^T x. The original follows both sides by stochastic gradients over
    a relaxation of U U^T, and its accuracy goes up and down. Here the classifier always gives its
    best response, a convex problem; U follows the gradient of that response's loss on the
    orthonormal matrices, and a step is taken only if it raises the loss.

    No classifier reads anything exactly if all class means are equal, so with k at least as large
    as the number of directions that they differ in, the optimum is known: the span of the class
    means, where `init="class_means"` starts, as `SAL` does. What is left to search for is the best
    choice of fewer directions.

    Several attributes are removed at once: losses, as shares of the loss at chance, are averaged.
    `y` is not used.

    Parameters
    ----------
    n_components : int, optional
        k; the number of directions that class means can differ in unless given, that is the sum
        of classes minus one over the attributes.
    n_steps : int, default=50
        Steps of U, at most.
    init : {"class_means", "random"}, default="class_means"
        Where U starts: at the first left singular vectors of the covariance of rows and labels
        (fewer than k if they are fewer), or anywhere.
    margin : float, default=0.001
        Stop when the balanced accuracy of every best response is within this of chance.
    C : float, default=1.0
        Inverse regularisation of the logistic regression, on rows of unit mean variance.
    random_state : int, RandomState or None, default=None
        Decides a random start.

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve has a record for the start and each step that was
        tried: loss (share of the loss at chance, up to 1; higher hides more), excess (balanced
        accuracy above chance of the attribute that is read best), accepted.
    """

    n_components: int | None = None
    n_steps: int = 50
    init: Init = "class_means"
    margin: float = 0.001
    C: float = 1.0

    def _learn(self, data: FitData) -> Learned:
        n_features = data.X_sensitive.shape[1]
        self._check(n_features)
        rows, mean = centred_rows(data.X_sensitive)
        basis, curve = self._maximise(rows, data.attributes, data.seed)
        return Learned(low_rank_edit(basis, basis.T, mean), tuple(curve))

    def _check(self, n_features: int) -> None:
        require_one_of("init", self.init, ["class_means", "random"])
        require_int("n_steps", self.n_steps, minimum=0)
        require_real("margin", self.margin, minimum=0.0, maximum=1.0)
        require_real("C", self.C, above=0.0)
        if self.n_components is not None:
            require_int("n_components", self.n_components, minimum=1)
            if self.n_components >= n_features:
                raise InputError(
                    f"n_components: expected fewer than n_features = {n_features}, found "
                    f"{self.n_components}: nothing would be left"
                )

    def _maximise(
        self, rows: FloatArray, attributes: Mapping[str, Labels], seed: int
    ) -> tuple[Float64, list[dict[str, Any]]]:
        """Return U and the curve."""
        classifiers = _Classifiers(rows, attributes, self.C)
        k = self.n_components or min(classifiers.n_directions, rows.shape[1] - 1)
        basis = _start(rows, attributes, k, self.init, seed)
        now = classifiers.best_response(basis)
        curve: list[dict[str, Any]] = [now.record(accepted=True)]
        step = 0.5
        for _ in range(self.n_steps):
            if now.excess <= self.margin or step < _SMALLEST_STEP:
                break
            turn = now.gradient - basis @ (basis.T @ now.gradient)
            length = float(np.linalg.norm(turn))
            if length == 0:
                break
            candidate = np.linalg.qr(basis + step / length * turn)[0]
            response = classifiers.best_response(candidate)
            accepted = response.loss > now.loss
            curve.append(response.record(accepted=accepted))
            if accepted:
                basis, now, step = candidate, response, min(2 * step, 1.0)
            else:
                step /= 4
        return basis, curve


@dataclass(frozen=True)
class _Response:
    """What the best classifiers do on rows without U."""

    loss: float
    excess: float
    gradient: Float64

    def record(self, *, accepted: bool) -> dict[str, Any]:
        return {"loss": self.loss, "excess": self.excess, "accepted": accepted}


class _Classifiers:
    """The classifiers of all attributes, and the loss that U wants to raise."""

    def __init__(self, rows: FloatArray, attributes: Mapping[str, Labels], C: float) -> None:
        self._parts = []
        for labels in attributes.values():
            labelled = labels.labelled
            everyone = bool(labelled.all())
            X = rows if everyone else rows[labelled]
            codes = labels.codes if everyone else labels.codes[labelled]
            self._parts.append((X, codes, linear_attacker(C)))
        self.n_directions = sum(len(labels.classes) - 1 for labels in attributes.values())

    def best_response(self, basis: Float64) -> _Response:
        """Fit all classifiers to x - U U^T x."""
        losses, excesses = [], []
        gradient = np.zeros(basis.shape)
        edit = low_rank_edit(basis, basis.T, np.zeros(len(basis)))
        for X, codes, attacker in self._parts:
            hidden = edit(X)
            fit_quietly(attacker, hidden, codes)
            loss, part = _loss_and_gradient(attacker, X, hidden, codes, basis)
            losses.append(loss)
            gradient += part / len(self._parts)
            accuracy = balanced_accuracy_score(codes, attacker.predict(hidden))
            excesses.append(accuracy - 1 / len(attacker.classes_))
        return _Response(float(np.mean(losses)), float(max(excesses)), gradient)


def _loss_and_gradient(
    attacker: LogisticRegression, X: FloatArray, hidden: FloatArray, codes: Int64, basis: Float64
) -> tuple[float, Float64]:
    """Log loss as a share of that at chance, every class weighing the same, and its slope in U.

    With logits (I - U U^T) x theta + b and residuals R, the slope in U U^T is -X^T R theta^T,
    made symmetric; theta is the best response, so that its own change does not matter (envelope
    theorem).
    """
    theta, n_classes = attacker.coef_.T.astype(np.float64), len(attacker.classes_)
    logits = hidden @ attacker.coef_.T + attacker.intercept_
    if n_classes == 2:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        theta = np.concatenate([np.zeros_like(theta), theta], axis=1)
    positions = np.searchsorted(attacker.classes_, codes)
    counts = np.bincount(positions, minlength=n_classes)
    weights = 1 / (n_classes * counts[positions])
    logits = np.asarray(logits, dtype=np.float64)
    chosen = np.take_along_axis(log_softmax(logits, axis=1), positions[:, None], axis=1)[:, 0]
    residuals = softmax(logits, axis=1)
    residuals[np.arange(len(codes)), positions] -= 1
    residuals *= weights[:, None]
    pull = (X.T @ residuals.astype(X.dtype)).astype(np.float64)
    slope = -(pull @ (theta.T @ basis) + theta @ (pull.T @ basis)) / np.log(n_classes)
    return float(-(weights @ chosen) / np.log(n_classes)), slope


def _start(
    rows: FloatArray, attributes: Mapping[str, Labels], k: int, init: str, seed: int
) -> Float64:
    if init == "random":
        rng = np.random.default_rng(seed)
        return np.asarray(np.linalg.qr(rng.standard_normal((rows.shape[1], k)))[0])
    stream = PooledMomentStream(len(attributes), covariance_rows=0)
    moments = stream.update(rows, [labels.codes for labels in attributes.values()]).moments()
    crossed = np.concatenate([g.cross_covariance() for g in moments.groupings], axis=1)
    directions, sizes, _ = np.linalg.svd(crossed, full_matrices=False)
    return np.asarray(directions[:, :k][:, sizes[:k] > 1e-6 * sizes[0]])
