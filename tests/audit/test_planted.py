"""Thirteen tables made to fool an audit, and it is fooled by none of them: 13 of 13.

What no attack on other people can find is a hash of the identity: see the last test.
"""

from dataclasses import replace

import numpy as np
import pytest

from sensitivenets.audit import Split
from sensitivenets.audit.attack import Workers
from sensitivenets.audit.attackers.catalogue import full_plan
from sensitivenets.audit.attackers.linear_quadratic import (
    digit_reader,
    logistic_regression,
    quadratic,
    regularised_qda,
)
from sensitivenets.audit.attackers.local_votes import nearest_neighbours, number_reader
from sensitivenets.audit.correspondence import corresponding_rows
from sensitivenets.audit.run import run_audit
from sensitivenets.embeddings import encode

N, TRAIN, D = 1500, 900, 12


def noise(seed=0, n=N):
    rng = np.random.default_rng(seed)
    return rng, rng.standard_normal((n, D)), rng.integers(2, size=n)


def audit_of(X, y):
    plan = replace(
        full_plan({}, curves=False),
        attackers=(
            logistic_regression(),
            regularised_qda(),
            quadratic(),
            nearest_neighbours(),
            number_reader(),
            digit_reader(),
        ),
        shuffled_attackers=(logistic_regression(),),
    )
    return run_audit(
        np.asarray(X, dtype=np.float32),
        None,
        {"label": encode("label", y)},
        plan=plan,
        split=Split(np.arange(TRAIN), np.arange(TRAIN, len(X))),
        random_state=0,
        workers=Workers(),
        progress=None,
    ).attributes[0]


def is_found(X, y):
    """Whether the audit says that something leaks, on average or of some people."""
    result = audit_of(X, y).before
    some = (*result.confident, *result.detections)
    return result.strongest.above_chance or any(one.above_chance for one in some)


def low_bits():
    _, X, y = noise()
    X = X.astype(np.float32)
    words = X.view(np.uint32)
    words[:, 3] = (words[:, 3] & ~np.uint32(1)) | y.astype(np.uint32)
    return X, y


def five_percent():
    rng, X, y = noise()
    told = rng.random(N) < 0.05
    X[told, 0] += 8 * (2 * y[told] - 1)
    return X, y


def tiny_cluster():
    rng, X, y = noise()
    corner = (rng.random(N) < 0.06) & (y == 1)
    X[corner] = 0.3 * X[corner] + 3
    return X, y


def turned_sign():
    """Class means made equal over all rows: training rows tell the opposite of test rows."""
    rng = np.random.default_rng(0)
    y, X = rng.integers(2, size=N), rng.standard_normal((N, 120))
    for label in (0, 1):
        X[y == label] -= X[y == label].mean(axis=0)
    return X, y


def squeeze():
    _, X, y = noise()
    X[:, 0] = 1e-5 * (X[:, 0] + 2 * y)
    return X @ np.linalg.qr(np.random.default_rng(1).standard_normal((D, D)))[0], y


def squeeze_with_a_broken_row():
    X, y = squeeze()
    X[0] *= 1e9
    return X, y


def squeeze_of_all_rows_but_one():
    X, y = squeeze()
    X[0] = np.random.default_rng(3).standard_normal(D)
    return X, y


def squeeze_of_four_rows_in_five():
    X, y = squeeze()
    X[::5] = np.random.default_rng(3).standard_normal((N // 5, D))
    return X, y


def norm():
    rng, X, y = noise()
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    return X * (1 + 1e-4 * (y + 0.5 * rng.standard_normal(N)))[:, None], y


def product():
    rng, X, y = noise()
    X[:, 1] = (
        np.abs(X[:, 1]) * np.sign(X[:, 0]) * (2 * y - 1) * np.where(rng.random(N) < 0.9, 1, -1)
    )
    return X, y


def rotation():
    _, X, y = noise()
    X[:, 0] += 0.6 * (2 * y - 1)
    X[:, 0] *= 0.02
    return X @ np.linalg.qr(np.random.default_rng(2).standard_normal((D, D)))[0], y


def duplicate_rows():
    _, X, y = noise()
    rows = np.flatnonzero(y == 1)
    rows = rows[: len(rows) // 2 * 2]
    X[rows[1::2]] = X[rows[::2]]
    return X, y


PLANTS = (
    low_bits,
    five_percent,
    tiny_cluster,
    turned_sign,
    squeeze,
    squeeze_with_a_broken_row,
    squeeze_of_all_rows_but_one,
    squeeze_of_four_rows_in_five,
    norm,
    product,
    rotation,
    duplicate_rows,
)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_leak_is_found(plant):
    assert is_found(*plant())


def test_rows_in_another_order_are_found():
    rng, X, _ = noise(n=600)
    assert corresponding_rows(X, X).holds
    assert not corresponding_rows(X, X[rng.permutation(600)]).holds


def test_nothing_is_found_where_nothing_was_planted():
    found = 0
    for seed in range(3):
        _, X, y = noise(seed)
        found += is_found(X, y)
    assert found <= 1


def test_a_hash_of_the_identity_is_out_of_reach():
    """Whoever has the list of hashes knows everybody; whoever attacks other people, nobody."""
    rng, _, y = noise()
    hashes = rng.integers(2**24, size=(N, D)) / 2**24
    assert not is_found(hashes, y)
    known = dict(zip(map(bytes, hashes), y, strict=True))
    assert all(known[bytes(row)] == label for row, label in zip(hashes, y, strict=True))
