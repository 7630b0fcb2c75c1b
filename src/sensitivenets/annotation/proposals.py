"""The classifier that proposes labels, and how sure it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.intervals import Estimate, clopper_pearson

IntArray = npt.NDArray[np.int64]

#: Rows that a class needs before anything is proposed.
MIN_ROWS = 5
_N_FOLDS = 5
_N_LANDMARKS = 600
# More labelled rows than this teach little more, and would make people wait.
_MAX_TRAINING_ROWS = 20_000
# Copies of the rows of one product with the weights.
_PRODUCT_ROWS = 65_536


@dataclass(frozen=True)
class Proposals:
    """What the classifier thinks of each row.

    Attributes
    ----------
    probabilities : ndarray of shape (n, n_classes), float32
        Calibrated; rows sum to 1. For a labelled row they come from a classifier that never saw
        it, nor, where identities are known, another row of the same one.
    n_labelled : int
        Rows that the classifiers were fitted on.
    accuracy : Estimate
        Share of the labelled rows that are given the label they carry, and its 95 % interval
        (Clopper-Pearson); higher is better.
    events_seen : int
        `seq` of the last decision that was taken into account.
    """

    probabilities: npt.NDArray[np.float32]
    n_labelled: int
    accuracy: Estimate
    events_seen: int = 0

    @property
    def codes(self) -> IntArray:
        """The proposed class of each row, shape (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return everything as arrays, to be stored."""
        counts = np.array([self.n_labelled, self.accuracy.n, self.events_seen], dtype=np.int64)
        ends = np.array([self.accuracy.value, self.accuracy.low, self.accuracy.high])
        return {"probabilities": self.probabilities, "counts": counts, "accuracy": ends}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Proposals:
        """Rebuild from `arrays`."""
        n_labelled, n, events_seen = arrays["counts"].tolist()
        value, low, high = arrays["accuracy"].tolist()
        estimate = Estimate(value, low, high, n)
        return cls(arrays["probabilities"], n_labelled, estimate, events_seen)


class Proposer:
    """Proposes labels from embeddings, again and again as labels come in.

    Logistic regression on the standardised embedding and on its Nyström features of an RBF
    kernel, for attributes that a network encodes non-linearly; fitted in five folds.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        The embeddings.
    groups : ndarray of shape (n,), optional
        Identities, as codes; -1 for unknown. Rows of one identity share a fold, so that a wrong
        label does not hide behind the same wrong label on another photograph.
    random_state : int, default=0
        Decides landmarks and folds.
    """

    def __init__(
        self, vectors: FloatArray, groups: IntArray | None = None, random_state: int = 0
    ) -> None:
        self._vectors = vectors
        self._random_state = random_state
        self._groups = np.arange(len(vectors)) if groups is None else _every_row_grouped(groups)
        self._features: npt.NDArray[np.float32] | None = None

    def propose(self, codes: IntArray, n_classes: int) -> Proposals | None:
        """Fit on the labelled rows and say what all rows are.

        Parameters
        ----------
        codes : ndarray of shape (n,)
            The best label known of each row, or -1.
        n_classes : int
            Classes there are; one without labelled rows gets probability 0.

        Returns
        -------
        Proposals or None
            None while fewer than two classes have `MIN_ROWS` rows, or all are of one identity.
        """
        counts = np.bincount(codes[codes != UNLABELLED], minlength=n_classes)
        learnable = counts >= MIN_ROWS
        labelled = np.flatnonzero((codes != UNLABELLED) & learnable[codes])
        if learnable.sum() < 2 or len(np.unique(self._groups[labelled])) < 2:
            return None
        classes = np.flatnonzero(learnable)
        target = np.searchsorted(classes, codes[labelled])
        logits = self._fold_logits(labelled, target)
        known = logits[labelled]
        narrow = _softmax(logits / temperature(known, target))
        probabilities = np.zeros((len(codes), n_classes), dtype=np.float32)
        probabilities[:, classes] = narrow
        right = int(np.sum(known.argmax(axis=1) == target))
        low, high = clopper_pearson(right, len(labelled))
        accuracy = Estimate(right / len(labelled), low, high, len(labelled))
        return Proposals(probabilities, len(labelled), accuracy)

    def _fold_logits(self, labelled: IntArray, target: IntArray) -> FloatArray:
        """Out of fold for labelled rows; the mean over folds for the others."""
        from sklearn.model_selection import StratifiedGroupKFold

        features = self._all_features()
        logits = np.zeros((len(features), int(target.max()) + 1))
        unlabelled = np.ones(len(features), dtype=bool)
        unlabelled[labelled] = False
        n_folds = min(_N_FOLDS, len(np.unique(self._groups[labelled])))
        folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=self._random_state)
        rng = np.random.default_rng(self._random_state)
        for fit, held_out in folds.split(target, target, self._groups[labelled]):
            if len(fit) > _MAX_TRAINING_ROWS:
                fit = rng.choice(fit, _MAX_TRAINING_ROWS, replace=False)
            weights, bias = _fit(features[labelled[fit]], target[fit], logits.shape[1])
            rows = labelled[held_out]
            logits[rows] = features[rows] @ weights + bias
            for block in row_blocks(len(features), _PRODUCT_ROWS):
                mine = unlabelled[block]
                logits[block][mine] += (features[block][mine] @ weights + bias) / n_folds
        return logits

    def _all_features(self) -> npt.NDArray[np.float32]:
        # Labels change, embeddings do not: computed once.
        if self._features is None:
            from sklearn.kernel_approximation import Nystroem

            vectors = self._vectors
            spread = np.maximum(vectors.std(axis=0), 1e-12)
            z = ((vectors - vectors.mean(axis=0)) / spread).astype(np.float32)
            kernel = Nystroem(
                gamma=1 / z.shape[1],
                n_components=min(_N_LANDMARKS, len(z)),
                random_state=self._random_state,
            )
            rng = np.random.default_rng(self._random_state)
            kernel.fit(z[rng.choice(len(z), min(len(z), _MAX_TRAINING_ROWS), replace=False)])
            parts = [
                kernel.transform(z[block]).astype(np.float32)
                for block in row_blocks(len(z), _PRODUCT_ROWS)
            ]
            self._features = np.hstack([z / np.sqrt(np.float32(z.shape[1])), np.vstack(parts)])
        return self._features


def _fit(features: FloatArray, target: IntArray, n_classes: int) -> tuple[FloatArray, FloatArray]:
    from sklearn.linear_model import LogisticRegression

    weights = np.zeros((features.shape[1], n_classes))
    # A fold may lack a small class: it is then very unlikely, not impossible.
    bias = np.full(n_classes, -10.0)
    present = np.unique(target)
    if len(present) == 1:
        bias[present] = 0
        return weights, bias
    model = LogisticRegression(C=10, max_iter=300, tol=1e-3).fit(features, target)
    if len(model.classes_) == 2:
        bias[model.classes_] = 0
        weights[:, model.classes_[1]] = model.coef_[0]
        bias[model.classes_[1]] = model.intercept_[0]
    else:
        weights[:, model.classes_] = model.coef_.T
        bias[model.classes_] = model.intercept_
    return weights, bias


def temperature(logits: FloatArray, target: IntArray) -> float:
    """Find the number that logits are divided by to be calibrated (Guo et al., ICML 2017).

    Parameters
    ----------
    logits : ndarray of shape (n, n_classes)
        Of rows the classifier was not fitted on.
    target : ndarray of shape (n,)
        Their labels.

    Returns
    -------
    float
        In [0.05, 20]; above 1 where the classifier was too sure of itself.
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(target))

    def log_loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1)
        spread = np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        return float(np.mean(top + spread - scaled[rows, target]))

    ends = (np.log(0.05), np.log(20))
    return float(np.exp(minimize_scalar(log_loss, bounds=ends, method="bounded").x))


def _softmax(logits: FloatArray) -> FloatArray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def _every_row_grouped(groups: IntArray) -> IntArray:
    """Give each row without an identity one of its own."""
    own = np.arange(len(groups)) + groups.max() + 1
    return np.where(groups == UNLABELLED, own, groups)
