"""What is to be read, classes or numbers: the labelled rows, and the identities held out to tune.

All that tells a class from a number for an attacker is in the two kinds of task: how an estimator
is fitted and asked, which figure ranks it, and how the control shuffles what is to be read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Self
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

from sensitivenets.audit.metrics import (
    TrueLabels,
    TrueValues,
    balanced_accuracy,
    r_squared,
)
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.rows import Reach
from sensitivenets.errors import InputError, some_of

# Enough to rank parameters; the winner is fitted again on all training rows.
_TUNE_ROWS = 2000
_VALIDATE_ROWS = 1500
_VALIDATE_SHARE = 0.25
_FEWEST_IDENTITIES = 8
# Deviations from chance that luck reaches in one of 100 cases, on one side.
_RELIABLY = 2.33
# Beyond so many times what most values differ by a value is no age: 999 stands for unknown. Heavy
# tails reach as far, but do not hold so much of the variance on one side of the split.
_FAR_FOR_A_VALUE = 20.0
_OF_THE_VARIANCE = 0.25
_NO_ROWS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class AttackTask(ABC):
    """What is to be read, by row of the prepared arrays: training rows first, then test rows.

    Attributes
    ----------
    name : str
        The attribute.
    y : ndarray of shape (rows of the prepared arrays,)
        What is to be read.
    train, test : ndarray of int64
        Labelled rows.
    tune, validate : ndarray of int64
        Training rows to choose parameters with, of different identities; both empty where there
        are too few identities to hold some out.
    """

    name: str
    y: npt.NDArray[Any]
    train: IntArray
    test: IntArray
    tune: IntArray
    validate: IntArray

    @abstractmethod
    def fit_and_ask(
        self,
        model: Any,
        X: FloatArray,
        train: IntArray,
        test: IntArray,
        *,
        corrects_prior: bool,
        by_groups: bool = False,
    ) -> FloatArray:
        """Fit a scikit-learn estimator on some rows of X, and ask it about others.

        Returns
        -------
        ndarray of shape (len(test), K) or (len(test), 1)
            Class scores, or numbers.
        """

    @abstractmethod
    def rate(self, rows: IntArray, outputs: FloatArray) -> float:
        """Figure by which candidates are ranked on these rows; higher means more is read."""

    @abstractmethod
    def is_below_chance(self, rows: IntArray, outputs: FloatArray) -> bool:
        """Whether these outputs are wrong more often than a guess would be in 99 of 100 cases."""

    @abstractmethod
    def turned(self, outputs: FloatArray) -> FloatArray:
        """Turn outputs into those that say the opposite, of the same shape."""

    @abstractmethod
    def shuffled(self, identities: IntArray, seed: int) -> Self:
        """Return the same task with nothing left to read, for the control."""

    def trained_on(self, rows: IntArray) -> Self:
        """Return the same task with these training rows only, and none to tune on."""
        return replace(self, train=rows, tune=_NO_ROWS, validate=_NO_ROWS)

    def _shuffler(self, seed: int) -> np.random.Generator:
        return np.random.default_rng(seed_of(seed, self.name, "shuffled"))

    def _with_labels(self, rows: IntArray, labels: npt.NDArray[Any]) -> Self:
        y = self.y.copy()
        y[rows] = labels
        return replace(self, y=y)


@dataclass(frozen=True)
class ClassTask(AttackTask):
    """A categorical attribute: codes 0 to K - 1 in `y`, or -1 where unlabelled.

    Attributes
    ----------
    classes : tuple of str
        Names of the K classes, each with training and test rows.
    notes : tuple of str
        Classes left out, no validation.
    is_joint : bool
        Whether it is the attributes crossed.
    others : ndarray of int64, or None
        Codes of the other audited attributes, crossed, by row; unlabelled is a code of its own.
        None if there are none.
    """

    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    is_joint: bool = False
    others: IntArray | None = None

    @classmethod
    def make(cls, labels: Labels, split: Split, seed: int) -> ClassTask:
        """Select the labelled rows of an attribute and hold identities out for tuning.

        Parameters
        ----------
        labels : Labels
            The attribute, one label for each row of the table.
        split : Split
            Training and test rows of the table.
        seed : int
            Decides which identities are held out.

        Returns
        -------
        ClassTask
            Noting classes left out because they have no training or no test rows.

        Raises
        ------
        InputError
            If fewer than two classes have both.
        """
        order = np.concatenate([split.train, split.test])
        codes, n_train = labels.codes[order], len(split.train)
        kept, notes = _usable_classes(labels, codes[:n_train], codes[n_train:])
        y = np.full(len(order), -1, dtype=np.int64)
        for new, old in enumerate(kept):
            y[codes == old] = new
        train, test = _sides(y >= 0, n_train)
        tune, validate = hold_out(train, split.identities(len(labels))[order], seed)
        if len(np.unique(y[tune])) < len(kept):
            tune = validate = _NO_ROWS
        if len(validate) == 0:
            reason = "too few identities to hold some out: default parameters, no validation"
            notes = (*notes, reason)
        classes = tuple(labels.classes[code] for code in kept)
        return cls(labels.name, y, train, test, tune, validate, classes, notes)

    @property
    def chance(self) -> float:
        """Balanced accuracy of a guess."""
        return 1 / len(self.classes)

    def counts(self, rows: IntArray) -> IntArray:
        """Rows of each class, shape (K,)."""
        return np.bincount(self.y[rows], minlength=len(self.classes))

    def truth(self, identities: IntArray, seed: int) -> TrueLabels:
        """Labels of the test rows, with the draws of their identities behind all intervals."""
        return TrueLabels.make(
            self.y[self.test],
            len(self.classes),
            identities[self.test],
            seed_of(seed, self.name, "intervals"),
        )

    def fit_and_ask(
        self,
        model: Any,
        X: FloatArray,
        train: IntArray,
        test: IntArray,
        *,
        corrects_prior: bool,
        by_groups: bool = False,
    ) -> FloatArray:
        """Fit a classifier; give the class scores of other rows, shape (n, K).

        By groups, it is fitted on the attributes crossed, and what it gives are the log densities
        of the classes: those of their groups, summed in the shares the groups have of a class.
        """
        rows, asked = (np.asarray(X[part], dtype=np.float64) for part in (train, test))
        if by_groups:
            return self._by_groups(model, rows, train, asked)
        prior = self.counts(train) / len(train) if corrects_prior else None
        model.fit(rows, self.y[train])
        return class_scores(model, asked, len(self.classes), prior)

    def _by_groups(
        self, model: Any, rows: FloatArray, train: IntArray, asked: FloatArray
    ) -> FloatArray:
        pairs = np.stack([self.y, np.zeros_like(self.y) if self.others is None else self.others])
        groups, codes, counts = np.unique(
            pairs[:, train], axis=1, return_inverse=True, return_counts=True
        )
        model.fit(rows, codes.ravel())
        densities = class_scores(model, asked, len(counts), None) + np.log(counts)
        scores = np.empty((len(asked), len(self.classes)))
        for label, total in enumerate(self.counts(train)):
            own = densities[:, groups[0] == label]
            scores[:, label] = logsumexp(own, axis=1) - np.log(total) if total else densities.min()
        return scores

    def rate(self, rows: IntArray, outputs: FloatArray) -> float:
        """Balanced accuracy, in [0, 1]."""
        return balanced_accuracy(self.y[rows], outputs.argmax(axis=1))

    def is_below_chance(self, rows: IntArray, outputs: FloatArray) -> bool:
        """Whether balanced accuracy is below that of a guess, by 2.33 of a guess's deviations."""
        counts = self.counts(rows)
        variance = self.chance * (1 - self.chance) * np.sum(1 / counts[counts > 0])
        deviation = np.sqrt(variance) / np.count_nonzero(counts)
        return bool(self.rate(rows, outputs) < self.chance - _RELIABLY * deviation)

    def turned(self, outputs: FloatArray) -> FloatArray:
        """Scores with the sign changed: the class held least likely comes first.

        Of two classes that is the other one. Of several it is the best guess where the truth is
        the class that an attacker is surest to exclude.
        """
        return -outputs

    def shuffled(self, identities: IntArray, seed: int) -> Self:
        """Give each identity the labels of another one, training and test alike: nothing is left.

        Where every row of an identity has one label they stay together, so that the control has
        the same dependence between rows as the attack.
        """
        rng = self._shuffler(seed)
        rows = np.concatenate([self.train, self.test])
        _, first, index = np.unique(identities[rows], return_index=True, return_inverse=True)
        labels = self.y[rows]
        moved = rng.permutation(labels[first])[index]
        constant = np.array_equal(labels[first][index], labels)
        if not constant or self._lacks_a_class(moved):
            moved = rng.permutation(labels)
        return self._with_labels(rows, moved)

    def _lacks_a_class(self, labels: IntArray) -> bool:
        sides = (labels[: len(self.train)], labels[len(self.train) :])
        return any(len(np.unique(side)) < len(self.classes) for side in sides)


@dataclass(frozen=True)
class NumberTask(AttackTask):
    """A continuous attribute: values in `y`, NaN where unknown."""

    @classmethod
    def make(cls, name: str, y: FloatArray, split: Split, seed: int) -> NumberTask:
        """Select the rows where the attribute is known and hold identities out for tuning.

        Parameters
        ----------
        name : str
            Name of the attribute.
        y : ndarray of shape (rows of the table,)
            Values, NaN where unknown.
        split : Split
            Training and test rows of the table.
        seed : int
            Decides which identities are held out.

        Returns
        -------
        NumberTask
            By row of the prepared arrays.

        Raises
        ------
        InputError
            If fewer than two values are known on a side, or all are equal; if some are so large
            that R2 would be largely theirs.
        """
        order = np.concatenate([split.train, split.test])
        ordered = np.asarray(y, dtype=np.float64)[order]
        train, test = _sides(np.isfinite(ordered), len(split.train))
        for side, rows in (("training", train), ("test", test)):
            if len(rows) < 2 or np.ptp(ordered[rows]) == 0:
                raise InputError(
                    f"attribute {name!r}: expected at least two different values on the {side} "
                    f"rows, found {len(np.unique(ordered[rows]))} in {len(rows)} known rows; "
                    "split otherwise or leave the attribute out"
                )
        _check_one_scale(name, ordered[train], ordered[test])
        tune, validate = hold_out(train, split.identities(len(y))[order], seed)
        return cls(name, ordered, train, test, tune, validate)

    @property
    def mean(self) -> float:
        """What a guess says: the mean of the training rows."""
        return float(self.y[self.train].mean())

    def truth(self, identities: IntArray, seed: int) -> TrueValues:
        """Values of the test rows, with the draws of their identities behind all intervals."""
        return TrueValues.make(self.y[self.test], identities[self.test], seed)

    def fit_and_ask(
        self,
        model: Any,
        X: FloatArray,
        train: IntArray,
        test: IntArray,
        *,
        corrects_prior: bool,  # noqa: ARG002 - numbers have no classes to weigh
        by_groups: bool = False,  # noqa: ARG002 - nor groups
    ) -> FloatArray:
        """Fit a regressor on standardised values; give the values of other rows, shape (n, 1).

        Raises
        ------
        FloatingPointError
            If they are not finite.
        """
        y = self.y[train]
        mean, deviation = y.mean(), max(float(y.std()), 1e-300)
        model.fit(np.asarray(X[train], dtype=np.float64), (y - mean) / deviation)
        predicted = mean + deviation * model.predict(np.asarray(X[test], dtype=np.float64))
        if not np.isfinite(predicted).all():
            raise FloatingPointError("predictions are not finite")
        return np.asarray(predicted)[:, None]

    def rate(self, rows: IntArray, outputs: FloatArray) -> float:
        """R2, at most 1."""
        return r_squared(self.y[rows], outputs[:, 0])

    def is_below_chance(self, rows: IntArray, outputs: FloatArray) -> bool:
        """Whether values and predictions are reliably correlated the wrong way round."""
        y, predicted = self.y[rows], outputs[:, 0]
        if len(rows) < 3 or np.ptp(y) == 0 or np.ptp(predicted) == 0:
            return False
        return bool(np.corrcoef(y, predicted)[0, 1] < -_RELIABLY / np.sqrt(len(rows)))

    def turned(self, outputs: FloatArray) -> FloatArray:
        """Values as far from the mean of the training rows, on the other side."""
        return 2 * self.mean - outputs

    def shuffled(self, identities: IntArray, seed: int) -> Self:  # noqa: ARG002 - as of classes
        """Move the values between rows, training and test alike: nothing is left."""
        rows = np.concatenate([self.train, self.test])
        return self._with_labels(rows, self._shuffler(seed).permutation(self.y[rows]))


def _check_one_scale(name: str, train: FloatArray, test: FloatArray) -> None:
    """Refuse 999 for an age nobody knows: beside it no attacker knows anything."""
    values = np.concatenate([train, test])
    reach = Reach.of(train[:, None], float(np.finfo(np.float64).eps))
    far = reach.is_far(values[:, None], _FAR_FOR_A_VALUE)[:, 0]
    squares = (values - reach.center) ** 2
    sides = np.split(squares, [len(train)]), np.split(squares * far, [len(train)])
    shares = [theirs.sum() / max(all_.sum(), 1e-300) for all_, theirs in zip(*sides, strict=True)]
    if max(shares) > _OF_THE_VARIANCE:
        low, high = values[~far].min(), values[~far].max()
        found = some_of((f"{value:g}" for value in np.unique(values[far])), quoted=False)
        raise InputError(
            f"attribute {name!r}: expected values of one scale, found {found} in {far.sum()} of "
            f"{len(values)} rows and {low:g} to {high:g} in the others: R2 would be largely of "
            "these few; leave empty what is not known, or give logarithms"
        )


def class_scores(
    estimator: Any, X: FloatArray, n_classes: int, prior: FloatArray | None
) -> FloatArray:
    """Scores of shape (n, n_classes), to be compared within a row; an unknown class gets -inf-like.

    Parameters
    ----------
    estimator : classifier
        Fitted on codes 0 to n_classes - 1, perhaps not all of them.
    X : ndarray of shape (n, d)
        Rows.
    n_classes : int
        K.
    prior : ndarray of shape (K,), or None
        Training shares to divide out of log posteriors.

    Returns
    -------
    ndarray
        Margins, or log probabilities.
    """
    if hasattr(estimator, "decision_function"):
        known = np.asarray(estimator.decision_function(X), dtype=np.float64)
        if known.ndim == 1:
            known = np.stack([-known / 2, known / 2], axis=1)
    elif hasattr(estimator, "predict_proba"):
        known = np.log(np.maximum(estimator.predict_proba(X), 1e-12))
    else:
        known = (estimator.predict(X)[:, None] == estimator.classes_).astype(np.float64)
    codes = np.asarray(estimator.classes_, dtype=np.int64)
    scores = np.full((len(X), n_classes), known.min(initial=0.0) - 1.0)
    scores[:, codes] = known
    if prior is not None:
        scores -= np.log(np.maximum(prior, 1e-12))
    return scores


def hold_out(train: IntArray, identities: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to tune on and rows of other identities to validate on, a few thousand at most.

    Parameters
    ----------
    train : ndarray of int64
        Labelled training rows.
    identities : ndarray
        Identity of every row.
    seed : int
        Decides which identities.

    Returns
    -------
    tune, validate : ndarray of int64
        Both empty if there are fewer than eight identities.
    """
    rng = np.random.default_rng([seed, 2])
    distinct = rng.permutation(np.unique(identities[train]))
    if len(distinct) < _FEWEST_IDENTITIES:
        return _NO_ROWS, _NO_ROWS
    held_out = distinct[: round(_VALIDATE_SHARE * len(distinct))]
    mask = np.isin(identities[train], held_out)
    tune, validate = rng.permutation(train[~mask]), rng.permutation(train[mask])
    return np.sort(tune[:_TUNE_ROWS]), np.sort(validate[:_VALIDATE_ROWS])


def seed_of(seed: int, *names: str) -> int:
    """Seed for one part of an audit: the same whatever runs beside it, and in what order."""
    words = [crc32(name.encode()) for name in names]
    return int(np.random.SeedSequence([seed, *words]).generate_state(1)[0] >> 1)


def _sides(labelled: npt.NDArray[np.bool_], n_train: int) -> tuple[IntArray, IntArray]:
    return np.flatnonzero(labelled[:n_train]), n_train + np.flatnonzero(labelled[n_train:])


def _usable_classes(
    labels: Labels, train: IntArray, test: IntArray
) -> tuple[list[int], tuple[str, ...]]:
    in_train, in_test = set(train.tolist()), set(test.tolist())
    codes = range(len(labels.classes))
    kept = [code for code in codes if code in in_train and code in in_test]
    dropped = [labels.classes[code] for code in codes if code not in kept]
    if len(kept) < 2:
        found = {
            side: some_of(
                (f"{labels.classes[c]!r} ({n})" for c in codes if (n := int(np.sum(rows == c)))),
                quoted=False,
            )
            for side, rows in (("training", train), ("test", test))
        }
        raise InputError(
            f"attribute {labels.name!r}: expected at least two classes with training and test "
            f"rows, found training {found['training']} and test {found['test']}; "
            "split otherwise or leave the attribute out"
        )
    if dropped:
        names = some_of(dropped)
        return kept, (f"classes without training or test rows left out: {names}",)
    return kept, ()
