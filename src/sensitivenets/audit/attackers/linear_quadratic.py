"""Linear attackers, and quadratic ones: what class means say, and what class covariances say.

Erasing the class means (and LEACE, SAL, INLP do little else) leaves the class covariances. Where
they differ, some directions have more energy in one class than in the others: the common spatial
patterns of brain-computer interfaces (Koles et al. 1990; Blankertz et al. 2008). A label that
sits only in the product of two features, rotated or not, shows up there.

Regularised discriminant analysis takes classes for Gaussian, and shrinks their covariances to
pooled and to round: Friedman, "Regularized discriminant analysis" (JASA 1989). Unlike
scikit-learn's it works with fewer rows of a class than features.

Where several attributes are known of the training rows their combinations are the better classes:
men of two ethnicities are no single Gaussian, and what differs between the groups may be equal
between the sexes. The densities of the groups are then summed to the classes of one attribute.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.linalg
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression, Ridge

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.number_bits import DIGITS_A_WORD
from sensitivenets.audit.preparations import (
    ALL_PREPARATIONS,
    DIGITS,
    RESIDUE,
    STANDARDISED,
    WHITENED,
)
from sensitivenets.embeddings import FloatArray

# Answers that are taken for labels, round by round.
_SURE_SHARES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.0)


def logistic_regression() -> Attacker:
    """Linear attacker of classes with an l2 penalty."""
    candidates = tuple(
        ({"C": C}, LogisticRegression(C=C, max_iter=1000, class_weight="balanced"))
        for C in (0.003, 0.03, 1.0, 30.0)
    )
    return Attacker("logistic regression", candidates, ALL_PREPARATIONS, cost=2)


def ridge_regression() -> Attacker:
    """Linear attacker of numbers with an l2 penalty."""
    candidates = tuple(({"alpha": alpha}, Ridge(alpha)) for alpha in (10.0, 100.0, 1000.0))
    return Attacker("ridge regression", candidates, (STANDARDISED, WHITENED))


def regularised_qda() -> Attacker:
    """Gaussian classes, each with its own covariance (see `RegularisedQDA`)."""
    candidates = tuple(
        ({"pooled": pooled, "round": round_}, RegularisedQDA(pooled, round_))
        for pooled, round_ in ((0.0, 0.03), (0.0, 0.2), (0.0, 0.5), (0.4, 0.2), (0.8, 0.2))
    )
    return Attacker("regularised QDA", candidates)


def qda_by_groups() -> Attacker:
    """Gaussian groups, all attributes crossed, summed to classes; shrunk by up to nine tenths."""
    candidates = tuple(
        ({"pooled": pooled, "round": round_}, RegularisedQDA(pooled, round_))
        for pooled, round_ in (
            (0.0, 0.1),
            (0.0, 0.3),
            (0.0, 0.9),
            (0.5, 0.1),
            (0.5, 0.3),
            (0.9, 0.1),
        )
    )
    shown = (STANDARDISED, WHITENED)
    return Attacker("QDA by groups", candidates, shown, by_groups=True, cost=2)


def pseudo_labels() -> Attacker:
    """Gaussian classes that learn from the attacked rows as well (see `PseudoLabels`)."""
    candidates = tuple(
        ({"pooled": pooled, "round": round_}, PseudoLabels(pooled, round_))
        for pooled, round_ in ((1.0, 0.1), (0.5, 0.3), (0.0, 0.3))
    )
    shown = (STANDARDISED, WHITENED)
    return Attacker("pseudo-labels", candidates, shown, cost=0.5)


def quadratic() -> Attacker:
    """Products of features and of directions (see `QuadraticClassifier`)."""
    candidates = tuple(
        ({"n_directions": m, "C": C}, QuadraticClassifier(n_directions=m, C=C))
        for m, C in ((12, 0.01), (32, 0.003), (32, 0.03))
    )
    return Attacker(
        "quadratic", candidates, (STANDARDISED, WHITENED, RESIDUE), sees_coordinates=True, cost=6
    )


def digit_reader() -> Attacker:
    """Binary digits of single features, wherever they stand in a number (see `DigitReader`)."""
    candidates = tuple(({"n_digits": n}, DigitReader(n)) for n in (4, 64))
    return Attacker("digit reader", candidates, (DIGITS,), sees_coordinates=True)


class RegularisedQDA(ClassifierMixin, BaseEstimator):
    """Quadratic discriminant analysis for equally frequent classes.

    Parameters
    ----------
    pooled : float
        Share of the pooled covariance in that of each class, in [0, 1]: 1 is linear.
    round : float
        Share of a multiple of the identity, of the same trace, in (0, 1].
    """

    def __init__(self, pooled: float = 0.0, round: float = 0.3) -> None:  # noqa: A002
        self.pooled = pooled
        self.round = round

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> RegularisedQDA:
        """Fit on rows of shape (n, d) with class codes of shape (n,).

        Raises
        ------
        ValueError
            If there is one class only, or all rows are equal.
        """
        self.classes_, index = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError("one class only")
        counts = np.bincount(index)
        self._means = np.stack([X[index == k].mean(axis=0) for k in range(len(counts))])
        own = [_covariance(X[index == k], self._means[k]) for k in range(len(counts))]
        common = np.einsum("k,kij->ij", counts / counts.sum(), np.stack(own))
        if np.trace(common) <= 0:
            raise ValueError("the rows of each class are equal")
        self._factors = [self._factor(covariance, common) for covariance in own]
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Log likelihoods of the classes, up to a constant: shape (n, classes)."""
        columns = []
        for mean, factor in zip(self._means, self._factors, strict=True):
            whitened = scipy.linalg.solve_triangular(factor, (X - mean).T, lower=True)
            columns.append(-0.5 * (whitened**2).sum(axis=0) - np.log(np.diag(factor)).sum())
        return np.stack(columns, axis=1)

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Most likely class of each row."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def _factor(self, own: FloatArray, common: FloatArray) -> FloatArray:
        mixed = (1 - self.pooled) * own + self.pooled * common
        trace = max(np.trace(mixed), 1e-6 * np.trace(common))
        mixed = (1 - self.round) * mixed + self.round * trace / len(mixed) * np.eye(len(mixed))
        return np.asarray(scipy.linalg.cholesky(mixed, lower=True))


class PseudoLabels(ClassifierMixin, BaseEstimator):
    """Discriminant analysis that is fitted again on the answers it is surest of, in growing parts.

    Whoever attacks a whole table has all its rows, and few labels. Self-training (Scudder 1965;
    Lee, "Pseudo-label", 2013): each round takes the surest answers of each class, 20 % and then
    more, as labels beside the true ones.

    Parameters
    ----------
    pooled, round : float
        As those of `RegularisedQDA`.
    """

    def __init__(self, pooled: float = 1.0, round: float = 0.1) -> None:  # noqa: A002
        self.pooled = pooled
        self.round = round

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> PseudoLabels:
        """Keep rows of shape (n, d) with class codes of shape (n,)."""
        self.classes_ = np.unique(y)
        self._rows, self._labels = X, y
        return self

    def decision_function(self, X: FloatArray) -> FloatArray:
        """Log likelihoods of the classes, up to a constant: shape (n, classes), rows of X used."""
        rows, labels = self._rows, self._labels
        for share in _SURE_SHARES:
            scores = self._gaussians().fit(rows, labels).decision_function(X)
            sure = _surest(scores, share)
            rows = np.vstack([self._rows, X[sure]])
            labels = np.concatenate([self._labels, self.classes_[scores[sure].argmax(axis=1)]])
        return self._gaussians().fit(rows, labels).decision_function(X)

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Most likely class of each row."""
        return np.asarray(self.classes_[self.decision_function(X).argmax(axis=1)])

    def _gaussians(self) -> RegularisedQDA:
        return RegularisedQDA(self.pooled, self.round)


def _surest(scores: FloatArray, share: float) -> npt.NDArray[np.intp]:
    """Rows of the largest margins, as many of each class as there are answers for all."""
    ordered, answers = np.sort(scores, axis=1), scores.argmax(axis=1)
    margins = ordered[:, -1] - ordered[:, -2]
    each = max(int(share * len(scores)) // scores.shape[1], 1)
    own = [np.flatnonzero(answers == k) for k in range(scores.shape[1])]
    return np.concatenate([rows[np.argsort(-margins[rows])[:each]] for rows in own])


class QuadraticClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression on the features, on selected products of them, and of their directions.

    Parameters
    ----------
    n_directions : int
        Eigenvectors of (class covariance - pooled covariance), the largest in magnitude, shared
        out among the classes. All their products of two are features.
    n_products : int
        Products of two single features whose class means differ most, in standard errors.
    C : float
        Inverse strength of the l2 penalty.
    """

    def __init__(self, n_directions: int = 24, n_products: int = 64, C: float = 0.01) -> None:
        self.n_directions = n_directions
        self.n_products = n_products
        self.C = C

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> QuadraticClassifier:
        """Find the directions and products, then fit the logistic regression.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Standardised or whitened features.
        y : ndarray of shape (n,)
            Class codes.

        Returns
        -------
        QuadraticClassifier
            Itself.
        """
        self.classes_ = np.unique(y)
        self._center = X.mean(axis=0)
        centred = X - self._center
        self._directions = self._find_directions(centred, y)
        self._left, self._right = self._find_products(centred, y)
        features = self._features(X)
        self._mean, self._scale = features.mean(axis=0), features.std(axis=0)
        self._scale[self._scale == 0] = 1
        self._logistic = LogisticRegression(C=self.C, max_iter=300, class_weight="balanced")
        self._logistic.fit((features - self._mean) / self._scale, y)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Class probabilities, shape (n, classes), for equally frequent classes."""
        scaled = (self._features(X) - self._mean) / self._scale
        return self._logistic.predict_proba(scaled)  # type: ignore[no-any-return]

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]  # type: ignore[no-any-return]

    def _find_directions(self, centred: FloatArray, y: npt.NDArray[np.int64]) -> FloatArray:
        # With two classes the second difference is the first one with the sign changed.
        classes = self.classes_[:1] if len(self.classes_) == 2 else self.classes_
        each = max(self.n_directions // len(classes), 2)
        pooled = _covariance(centred, centred.mean(axis=0))
        found = []
        for label in classes:
            own = centred[y == label]
            difference = _covariance(own, own.mean(axis=0)) - pooled
            energies, directions = np.linalg.eigh(difference)
            found.append(directions[:, np.argsort(-np.abs(energies), kind="stable")[:each]])
        return np.hstack(found)

    def _find_products(
        self, centred: FloatArray, y: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        n, d = centred.shape
        mean = centred.T @ centred / n
        squares = centred**2
        deviation = np.sqrt(np.maximum(squares.T @ squares / n - mean**2, 1e-30))
        largest = np.zeros((d, d))
        for label in self.classes_:
            rows = centred[y == label]
            shift = np.abs(rows.T @ rows / len(rows) - mean) * np.sqrt(len(rows)) / deviation
            largest = np.maximum(largest, shift)
        left, right = np.triu_indices(d)
        best = np.argsort(-largest[left, right], kind="stable")[: self.n_products]
        return left[best], right[best]

    def _features(self, X: FloatArray) -> FloatArray:
        centred = X - self._center
        along = centred @ self._directions
        i, j = np.triu_indices(along.shape[1])
        return np.hstack([
            X,
            along[:, i] * along[:, j],
            centred[:, self._left] * centred[:, self._right],
        ])


class DigitReader(ClassifierMixin, BaseEstimator):
    """Logistic regression on the binary digits that differ most between the classes.

    A digit in the middle of a number moves the value too little for any other attacker, and is
    neither low nor lost in rounding: whoever wrote a label there reads it again.

    Parameters
    ----------
    n_digits : int
        Digits taken, of all features together.
    """

    def __init__(self, n_digits: int = 64) -> None:
        self.n_digits = n_digits

    def fit(self, X: FloatArray, y: npt.NDArray[np.int64]) -> DigitReader:
        """Fit on words of shape (n, w), whole numbers, with class codes of shape (n,)."""
        self.classes_ = np.unique(y)
        words = X.astype(np.uint32)
        marked = np.asarray(y[:, None] == self.classes_, dtype=np.float32)
        told = np.stack([_chi_squared(_digit(words, k), marked) for k in range(DIGITS_A_WORD)])
        best = np.argsort(-told, axis=None, kind="stable")[: self.n_digits]
        self._places, self._words = np.unravel_index(best, told.shape)
        self._logistic = LogisticRegression(C=0.1, max_iter=300, class_weight="balanced")
        self._logistic.fit(self._digits(X), y)
        return self

    def predict_proba(self, X: FloatArray) -> FloatArray:
        """Class probabilities, shape (n, classes), for equally frequent classes."""
        return self._logistic.predict_proba(self._digits(X))  # type: ignore[no-any-return]

    def predict(self, X: FloatArray) -> npt.NDArray[np.int64]:
        """Most probable class of each row."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]  # type: ignore[no-any-return]

    def _digits(self, X: FloatArray) -> FloatArray:
        return _digit(X[:, self._words].astype(np.uint32), self._places.astype(np.uint32))


def _digit(
    words: npt.NDArray[np.uint32], place: int | npt.NDArray[np.uint32]
) -> npt.NDArray[np.float32]:
    return np.asarray((words >> np.asarray(place, np.uint32)) & np.uint32(1), dtype=np.float32)


def _chi_squared(digit: FloatArray, marked: FloatArray) -> FloatArray:
    """Say how far a digit is from independent of the classes, feature by feature: shape (w,)."""
    sizes = marked.sum(axis=0, dtype=np.float64)[:, None]
    share = digit.mean(axis=0, dtype=np.float64)
    excess = marked.T @ digit - sizes * share
    variance = np.where((share > 0) & (share < 1), share * (1 - share), np.inf)
    return np.asarray(np.sum(excess**2 / sizes, axis=0) / variance)


def _covariance(rows: FloatArray, mean: FloatArray) -> FloatArray:
    centred = rows - mean
    return np.asarray(centred.T @ centred / len(rows))
