"""Irreversibility: how much of an embedding an adversary gets back from its code."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import RidgeCV

from sensitivenets.audit.inversion import invert
from sensitivenets.audit.results import Inversion
from sensitivenets.embeddings import FloatArray
from sensitivenets.errors import InputError, require_int
from sensitivenets.maps.universal_code import UniversalCode

_PENALTIES = tuple(np.geomspace(1e-2, 1e3, 11))


def invert_with_key(
    code: UniversalCode, X: FloatArray, n_train: int, *, random_state: int = 0
) -> Inversion:
    """Let an adversary who has the code's directions, or its key, undo it.

    Parameters
    ----------
    code : UniversalCode
        Public, or keyed with the key stolen.
    X : ndarray of shape (n, d)
        Embeddings; the adversary knows the first `n_train`, and makes up as many more as wanted.
    n_train : int
        Rows of `X` that the adversary has; the others are recovered from their codes.
    random_state : int, default=0
        Decides everything.

    Returns
    -------
    Inversion
        `cosine` between recovered and true embeddings, 1 if all is recovered, beside
        `chance_cosine` of a guess that never looks at the code. Lower is better.

    Raises
    ------
    InputError
        If there are no rows to recover.
    """
    _check_rows(X, n_train)
    return invert(code, X, n_train, random_state).summary


def invert_without_key(codes: FloatArray, X: FloatArray, n_known: int) -> Inversion:
    """Let an adversary without the key, but with some embeddings and their codes, undo the rest.

    Such pairs come from whoever is enrolled and has their own image: an insider, or an adversary
    who enrolled themselves many times. What is learned is a ridge regression, its penalty chosen
    by cross-validation; a better learner may get more.

    Parameters
    ----------
    codes : ndarray of shape (n, b)
        Codes as numbers (`unpack`, or `CodeTable.as_embeddings`).
    X : ndarray of shape (n, d)
        The embeddings behind them.
    n_known : int
        The first so many rows are known.

    Returns
    -------
    Inversion
        As of `invert_with_key`.

    Raises
    ------
    InputError
        If the two differ in rows, or there are no rows to recover.
    """
    _check_rows(X, n_known)
    if len(codes) != len(X):
        raise InputError(f"codes: expected one for each of {len(X)} embeddings, found {len(codes)}")
    known, hidden = X[:n_known].astype(np.float64), X[n_known:].astype(np.float64)
    ridge = RidgeCV(_PENALTIES).fit(codes[:n_known].astype(np.float64), known)
    guess = ridge.predict(codes[n_known:].astype(np.float64))
    mean = known.mean(axis=0)
    return Inversion(
        inverter="ridge regression on known pairs",
        cosine=_mean_cosine(hidden, guess),
        chance_cosine=_mean_cosine(hidden, np.broadcast_to(mean, hidden.shape)),
        r2=1 - float(np.sum((hidden - guess) ** 2) / max(np.sum((hidden - mean) ** 2), 1e-30)),
        n_fit=n_known,
        n_test=len(hidden),
    )


def _check_rows(X: FloatArray, n_known: int) -> None:
    require_int("known rows", n_known, minimum=2)
    if n_known >= len(X):
        raise InputError(
            f"known rows: expected fewer than the {len(X)} embeddings, so that some are left to "
            f"recover; found {n_known}"
        )


def _mean_cosine(a: FloatArray, b: FloatArray) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(np.mean(np.sum(a * b, axis=1) / np.maximum(lengths, 1e-12)))
