"""Whether people are still recognised: comparers fitted anew on what a map leaves.

That a stale comparer fails proves nothing: an attacker knows some people, protects their
embeddings with the same map, and learns how to compare the results.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.verification.all_pairs import verify_all_pairs
from sensitivenets.verification.identification import Identification, identify
from sensitivenets.verification.pairs import BoolArray

Comparer = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Recognised:
    """What one comparer reaches on people that it was not fitted on.

    Attributes
    ----------
    comparer : str
        ``as they are`` (centred), ``whitened``, ``discriminant``, or, of the old table,
        ``regression`` and ``network``: the old embedding is predicted from the protected one.
    linkage : bool
        Whether protected rows are searched in the old table instead of among themselves.
    eer : Estimate or None
        Equal error rate over all pairs; 0.5 is chance. None for linkage.
    identification : Identification
        Closed and open set.
    """

    comparer: str
    linkage: bool
    eer: Estimate | None
    identification: Identification


@dataclass(frozen=True)
class RecognitionAudit:
    """Whether a table still tells who is who, or who is whom in an old table.

    Attributes
    ----------
    attempts : tuple of Recognised
        Every comparer.
    n_known, n_attacked : int
        Rows of the people that comparers were fitted on, and of those attacked.
    """

    attempts: tuple[Recognised, ...]
    n_known: int
    n_attacked: int

    @property
    def strongest(self) -> Recognised:
        """The one that finds most people."""
        return max(self.attempts, key=lambda one: one.identification.rank_1.value)

    @property
    def lowest_eer(self) -> Estimate:
        """The equal error rate of the comparer that errs least."""
        rates = [one.eer for one in self.attempts if one.eer is not None]
        return min(rates, key=lambda rate: rate.value)


def audit_recognition(
    after: FloatArray,
    subject: Labels,
    known: BoolArray,
    *,
    before: FloatArray | None = None,
    random_state: int = 0,
) -> RecognitionAudit:
    """Try to recognise people in protected embeddings, and to find them in an old table.

    Parameters
    ----------
    after : ndarray of shape (n, k)
        Protected embeddings.
    subject : Labels
        Identity of each row.
    known : ndarray of shape (n,), bool
        Rows of people that the attacker knows and fits comparers on; all others are attacked.
        Neither should have been used to fit the map.
    before : ndarray of shape (n, d), optional
        The same rows before the map: the old table, for linkage. The attacker holds those of known
        people in both forms, as the map is public.
    random_state : int, default=0
        Decides who is enrolled, and initial weights.

    Returns
    -------
    RecognitionAudit

    Raises
    ------
    InputError
        If a person is on both sides, or too few have several rows.
    """
    if np.isin(subject.codes[known], subject.codes[~known & subject.labelled]).any():
        raise InputError("known: expected no person on both sides, found one; divide by person")
    attacked = subject.take(np.flatnonzero(~known))
    codes = subject.codes[known]
    attempts = []
    for name, compare in _comparers(after[known], codes).items():
        vectors = compare(after[~known])
        attempts.append(
            Recognised(
                comparer=name,
                linkage=False,
                eer=verify_all_pairs(
                    vectors, attacked, n_bootstrap=100, random_state=random_state
                ).eer,
                identification=identify(vectors, attacked, random_state=random_state),
            )
        )
    if before is not None:
        centre = before[known].mean(axis=0)
        old = _never_zero(before[~known] - centre)
        for name, predict in _predictors(after[known], before[known] - centre, random_state):
            vectors = _never_zero(predict(after[~known]))
            found = identify(vectors, attacked, enrolled=old, random_state=random_state)
            attempts.append(Recognised(name, linkage=True, eer=None, identification=found))
    return RecognitionAudit(tuple(attempts), int(known.sum()), int((~known).sum()))


def _comparers(
    known: FloatArray, codes: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> dict[str, Comparer]:
    """Fit, on rows of known people, what brings rows into a space where cosines tell people."""
    centre = known.mean(axis=0)
    spread = np.cov(known - centre, rowvar=False, dtype=np.float64).reshape(known.shape[1], -1)
    values, directions = np.linalg.eigh(spread)
    # What varies less than rounding of float32 holds nothing.
    seen = values > 1e-6 * values[-1]
    whitening = directions[:, seen] / np.sqrt(values[seen])
    comparers: dict[str, Comparer] = {
        "as they are": lambda rows: _never_zero(rows - centre),
        "whitened": lambda rows: _never_zero((rows - centre) @ whitening),
    }
    counts = np.bincount(codes[codes >= 0])
    several = (codes >= 0) & (counts[np.maximum(codes, 0)] > 1)
    if np.unique(codes[several]).size > 2:
        whitened = (known[several] - centre) @ whitening
        discriminant = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1)
        discriminant.fit(whitened, codes[several])
        comparers["discriminant"] = lambda rows: _never_zero(
            discriminant.transform((rows - centre) @ whitening)
        )
    return comparers


def _predictors(
    after: FloatArray, before: FloatArray, random_state: int
) -> list[tuple[str, Comparer]]:
    """Learn to predict old embeddings from protected ones, by a line and by a network."""
    regression = make_pipeline(StandardScaler(), Ridge(1.0)).fit(after, before)
    network = make_pipeline(
        StandardScaler(),
        MLPRegressor(
            hidden_layer_sizes=(256,), early_stopping=True, max_iter=100, random_state=random_state
        ),
    )
    with warnings.catch_warnings():
        # A network that is still learning predicts nearly as well as it ever will.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(after, before / before.std())
    return [("regression", regression.predict), ("network", network.predict)]


def _never_zero(rows: FloatArray) -> FloatArray:
    """Give rows of nothing a length, alike for all: they have a cosine, and match anybody."""
    rows = np.asarray(rows, dtype=np.float64)
    if rows.shape[1] == 1:
        # Of one number the cosine knows the sign alone: numbers near one another point alike.
        scale = rows.std() or 1.0
        rows = np.column_stack([np.cos(np.arctan(rows / scale)), np.sin(np.arctan(rows / scale))])
    empty = ~rows.any(axis=1)
    rows[empty] = 1.0
    return rows
