"""Attackers that fit a smooth function of all features: kernel machines and neural networks.

The kernel width of a support vector machine is relative to the spread of its training rows. A
network is trained for a number of epochs, which validation chooses.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.linalg
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVC, SVR

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.preparations import STANDARDISED, WHITENED
from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks

# Rows whose kernel matrix is made at once, 8 bytes a value: the matrix product is several times
# faster than libsvm's row by row, and two processes still stay far below 2 GiB.
_AT_ONCE = 6000
# Megabytes of kernel rows that libsvm keeps where it must work row by row.
_CACHE = 300
# Against all support vectors at once, ten thousand perhaps, and once more in float64: few rows.
_KERNEL_ROWS = 512


class Kernels(Protocol):
    """Who makes and solves kernel matrices: numpy, or torch on a device (`on_device`)."""

    def gaussian(self, a: FloatArray, b: FloatArray, gamma: float) -> FloatArray:
        """Return exp(-gamma ||a_i - b_j||^2), shape (len(a), len(b))."""
        ...

    def distances(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """Return Euclidean distances, shape (len(a), len(b))."""
        ...

    def solve(self, kernel: FloatArray, columns: FloatArray) -> FloatArray:
        """Return w with kernel @ w = columns (n, k), of a positive definite kernel (n, n)."""
        ...


@dataclass(frozen=True)
class InNumpy:
    """Kernel matrices on the processor, each in one buffer: see `Kernels`."""

    def gaussian(self, a: FloatArray, b: FloatArray, gamma: float) -> FloatArray:
        """See `Kernels.gaussian`."""
        kernel = a @ b.T
        kernel *= 2 * gamma
        kernel -= gamma * np.einsum("ij,ij->i", a, a)[:, None]
        kernel -= gamma * np.einsum("ij,ij->i", b, b)
        np.minimum(kernel, 0, out=kernel)
        return np.exp(kernel, out=kernel)

    def distances(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """See `Kernels.distances`."""
        squares = a @ b.T
        squares *= -2
        squares += np.einsum("ij,ij->i", a, a)[:, None]
        squares += np.einsum("ij,ij->i", b, b)
        np.maximum(squares, 0, out=squares)
        return np.sqrt(squares, out=squares)

    def solve(self, kernel: FloatArray, columns: FloatArray) -> FloatArray:
        """See `Kernels.solve`; the kernel is written over."""
        return np.asarray(scipy.linalg.solve(kernel, columns, assume_a="pos", overwrite_a=True))


IN_NUMPY = InNumpy()


def rbf_svm() -> Attacker:
    """Support vector machine with a Gaussian kernel, for classes."""
    candidates = tuple(
        ({"gamma_factor": g, "C": C}, RelativeSVC(gamma_factor=g, C=C))
        for g, C in ((0.5, 4.0), (1.0, 1.0), (1.0, 4.0), (2.0, 4.0))
    )
    return Attacker("RBF-SVM", candidates, max_rows=15_000, cost=20)


def rbf_svr() -> Attacker:
    """Support vector machine with a Gaussian kernel, for numbers."""
    candidates = tuple(
        ({"gamma_factor": g, "C": C}, RelativeSVR(g, C))
        for g, C in ((0.5, 1.0), (1.0, 1.0), (1.0, 4.0))
    )
    return Attacker("RBF-SVR", candidates, (STANDARDISED, WHITENED), max_rows=10_000, cost=15)


class RelativeSVC(ClassifierMixin, BaseEstimator):
    """RBF-SVM with gamma = gamma_factor / (total variance of the training rows).

    Unlike scikit-learn's ``gamma="scale"`` it does not mistake distant feature means for spread,
    nor change under a rotation to fewer features. Several classes are told apart pair by pair.

    Parameters
    ----------
    gamma_factor : float
        1 makes two rows at the mean distance exp(-2) similar.
    C : float
        Penalty of an error; classes weigh the same whatever their sizes.
    kernels : Kernels
        Who makes the kernel matrices.
    """

    def __init__(
        self, gamma_factor: float = 1.0, C: float = 1.0, kernels: Kernels = IN_NUMPY
    ) -> None:
        self.gamma_factor = gamma_factor
        self.C = C
        self.kernels = kernels

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> RelativeSVC:
        """Fit on rows of shape (n, d) with class codes of shape (n,)."""
        self.classes_ = np.unique(y)
        if len(self.classes_) < 2:
            raise ValueError("one class only")
        self._gamma = _relative_gamma(X, self.gamma_factor)
        # Distances lose digits far from the origin.
        self._center = X.mean(axis=0)
        rows = X - self._center
        self._pairs = [
            self._fit_pair(rows[(y == a) | (y == b)], y[(y == a) | (y == b)] == b)
            for a, b in combinations(self.classes_, 2)
        ]
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Margin of the second class, shape (n,), or votes and margins, shape (n, classes)."""
        margins = np.hstack([self._margins(X - self._center, *pair) for pair in self._pairs])
        if len(self.classes_) == 2:
            return np.asarray(margins[:, 0])
        votes = np.zeros((len(X), len(self.classes_)))
        total = np.zeros_like(votes)
        for margin, (a, b) in zip(margins.T, combinations(range(votes.shape[1]), 2), strict=True):
            votes[:, a] += margin <= 0
            votes[:, b] += margin > 0
            total[:, a] -= margin
            total[:, b] += margin
        # Margins decide between equal votes and never outweigh one.
        return np.asarray(votes + total / (3 * (np.abs(total) + 1)))

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Class of each row."""
        scores = self.decision_function(X)
        best = (scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[best])

    def _fit_pair(
        self, rows: FloatArray, second: npt.NDArray[np.bool_]
    ) -> tuple[FloatArray, FloatArray, float]:
        """Support vectors, their coefficients and the offset of one pair of classes."""
        if len(rows) <= _AT_ONCE:
            machine = SVC(C=self.C, kernel="precomputed", class_weight="balanced", cache_size=20)
            machine.fit(self.kernels.gaussian(rows, rows, self._gamma), second)
        else:
            machine = SVC(C=self.C, gamma=self._gamma, class_weight="balanced", cache_size=_CACHE)
            machine.fit(rows, second)
        return rows[machine.support_], machine.dual_coef_[0], float(machine.intercept_[0])

    def _margins(
        self, rows: FloatArray, support: FloatArray, weights: FloatArray, offset: float
    ) -> FloatArray:
        blocks = [
            self.kernels.gaussian(rows[block], support, self._gamma) @ weights
            for block in row_blocks(len(rows), _KERNEL_ROWS)
        ]
        return np.asarray(np.concatenate(blocks)[:, None] + offset)


class RelativeSVR(SVR):
    """RBF support vector regression with gamma relative to the spread of its training rows.

    Parameters
    ----------
    gamma_factor : float
        As in `RelativeSVC`.
    C : float
        Penalty of an error, in standard deviations of the attribute.
    """

    def __init__(self, gamma_factor: float = 1.0, C: float = 1.0) -> None:
        self.gamma_factor = gamma_factor
        super().__init__(C=C, epsilon=0.2, cache_size=300)

    def fit(self, X: FloatArray, y: FloatArray) -> RelativeSVR:
        """Fit on rows of shape (n, d) with values of shape (n,)."""
        self.gamma = _relative_gamma(X, self.gamma_factor)
        super().fit(X, y)
        return self


def _relative_gamma(X: FloatArray, factor: float) -> float:
    spread = float(np.sum(np.var(X, axis=0, dtype=np.float64)))
    return factor / max(spread, 1e-12)


# Rows to learn the metric from, and rows to fit with it: a kernel matrix of each is solved.
_METRIC_ROWS = 2000
_RIDGE_ROWS = 4000


def learned_metric() -> Attacker:
    """Kernel machine that learns which directions matter (see `RecursiveFeatureMachine`)."""
    candidates = tuple(
        ({"rounds": rounds, "ridge": ridge}, RecursiveFeatureMachine(rounds, ridge))
        for rounds, ridge in ((3, 0.1), (5, 0.01))
    )
    return Attacker("learned-metric kernel", candidates, (WHITENED,), cost=3)


class RecursiveFeatureMachine(ClassifierMixin, BaseEstimator):
    """Kernel ridge regression on a Laplace kernel whose metric it learns from its own gradients.

    Radhakrishnan et al., "Mechanism for feature learning in neural networks and
    backpropagation-free machine learning models" (Science 2024): the mean outer product of the
    gradients of a fit is the metric of the next one. Few directions that matter among many stand
    out after some rounds.

    Parameters
    ----------
    rounds : int
        Metrics that are learned, one after the other.
    ridge : float
        Added to the diagonal of the kernel, whose values are at most 1.
    random_state : int, optional
        Decides the rows where there are more than 4 000.
    kernels : Kernels
        Who makes distances, and solves.
    """

    def __init__(
        self,
        rounds: int = 3,
        ridge: float = 0.1,
        random_state: int | None = None,
        kernels: Kernels = IN_NUMPY,
    ) -> None:
        self.rounds = rounds
        self.ridge = ridge
        self.random_state = random_state
        self.kernels = kernels

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> RecursiveFeatureMachine:
        """Fit on rows of shape (n, d) with class codes of shape (n,)."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._center = X.mean(axis=0)
        drawn = np.random.default_rng(self.random_state).permutation(len(X))[:_RIDGE_ROWS]
        rows = (X[drawn] - self._center).astype(np.float32)
        # Balanced: the classes weigh the same in what is fitted.
        marked = np.eye(len(self.classes_), dtype=np.float32)[codes[drawn]]
        marked -= marked.mean(axis=0)
        self._metric = np.eye(X.shape[1], dtype=np.float32)
        few, their_marks = rows[:_METRIC_ROWS], marked[:_METRIC_ROWS]
        for _ in range(self.rounds):
            self._solve(few, their_marks)
            self._metric = self._gradient_products(few)
        self._solve(rows, marked)
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Score of each class, shape (n, classes)."""
        moved = (X - self._center).astype(np.float32) @ self._root
        blocks = [
            self._kernel(self.kernels.distances(moved[rows], self._seen)) @ self._weights
            for rows in row_blocks(len(moved), _KERNEL_ROWS)
        ]
        return np.asarray(np.vstack(blocks), dtype=np.float64)

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Class of each row."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def _solve(self, rows: FloatArray, marked: FloatArray) -> None:
        values, vectors = np.linalg.eigh(self._metric)
        self._root = vectors * np.sqrt(np.maximum(values, 0))
        self._seen = rows @ self._root
        distances = self.kernels.distances(self._seen, self._seen)
        self._width = max(float(np.median(distances)), 1e-12)
        kernel = self._kernel(distances)
        kernel[np.diag_indices_from(kernel)] += self.ridge
        self._weights = self.kernels.solve(kernel, marked)

    def _kernel(self, distances: FloatArray) -> FloatArray:
        return np.asarray(np.exp(distances / -self._width))

    def _gradient_products(self, rows: FloatArray) -> FloatArray:
        """Mean outer product of the gradients at the rows it was fitted on, trace d."""
        distances = self.kernels.distances(self._seen, self._seen)
        slopes = self._kernel(distances) / np.maximum(distances, 1e-3 * self._width)
        np.fill_diagonal(slopes, 0)
        products = np.zeros_like(self._metric)
        for weights in self._weights.T:
            # Of sum_j w_j exp(-|x - x_j|_M / s) at x_i, up to a factor: in the metric M.
            sloped = slopes * weights
            gradients = (sloped.sum(axis=1)[:, None] * rows - sloped @ rows) @ self._metric
            products += gradients.T @ gradients
        return np.asarray(products * (len(products) / max(float(np.trace(products)), 1e-30)))


_STEPS_PER_EPOCH = 30


def mlp(n_seeds: int = 3, name: str = "MLP") -> Attacker:
    """Networks of one or two hidden layers, `n_seeds` of them averaged, for classes."""
    candidates = tuple(
        ({"hidden": list(hidden), "epochs": epochs}, MLPAttacker(hidden, epochs))
        for hidden, epochs in (((256,), 6), ((256,), 15), ((128, 128), 10))
    )
    return Attacker(name, candidates, corrects_prior=True, n_seeds=n_seeds, cost=9)


def mlp_regression() -> Attacker:
    """Networks of one hidden layer, for numbers."""
    candidates = tuple(
        ({"hidden": [256], "epochs": epochs}, EpochRegressor(epochs)) for epochs in (6, 20)
    )
    return Attacker("MLP", candidates, (STANDARDISED, WHITENED), cost=4)


class MLPAttacker(MLPClassifier):
    """Multi-layer perceptron of rectified units, trained by Adam for a number of epochs.

    Its batches fit the rows it gets, so that epochs mean the same everywhere.

    Parameters
    ----------
    hidden : tuple of int
        Units of the hidden layers.
    epochs : int
        Passes over the rows, of about 30 batches or more.
    random_state : int, optional
        Decides weights and batches.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (256,),
        epochs: int = 15,
        random_state: int | None = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        super().__init__(
            hidden, alpha=1.0, max_iter=epochs, n_iter_no_change=epochs, random_state=random_state
        )

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> MLPAttacker:
        """Fit on rows of shape (n, d) with class codes of shape (n,)."""
        self.hidden_layer_sizes = self.hidden
        self.max_iter = self.n_iter_no_change = self.epochs
        self.batch_size = int(np.clip(len(X) // _STEPS_PER_EPOCH, min(16, len(X)), 256))
        with _without_convergence_warning():
            super().fit(X, y)
        return self


class EpochRegressor(MLPRegressor):
    """Multi-layer perceptron of 256 rectified units, trained by Adam for a number of epochs.

    Parameters
    ----------
    epochs : int
        Passes over the rows, in batches of 256.
    random_state : int, optional
        Decides weights and batches.
    """

    def __init__(self, epochs: int = 6, random_state: int | None = None) -> None:
        self.epochs = epochs
        super().__init__(
            hidden_layer_sizes=(256,),
            alpha=1.0,
            max_iter=epochs,
            batch_size=256,
            tol=0.0,
            random_state=random_state,
        )

    def fit(self, X: FloatArray, y: FloatArray) -> EpochRegressor:
        """Fit on rows of shape (n, d) with values of shape (n,)."""
        self.max_iter = self.epochs
        with _without_convergence_warning():
            super().fit(X, y)
        return self


@contextmanager
def _without_convergence_warning() -> Iterator[None]:
    """Say nothing of epochs that ran out: they are a parameter, not a limit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield
