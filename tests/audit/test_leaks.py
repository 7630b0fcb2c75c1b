"""Planted leaks: each is found, on every seed tried, and noise is called noise."""

from dataclasses import replace

import numpy as np
import pytest

from sensitivenets.audit import Split
from sensitivenets.audit.attack import Workers
from sensitivenets.audit.attackers.catalogue import full_plan
from sensitivenets.audit.attackers.linear_quadratic import (
    logistic_regression,
    quadratic,
    regularised_qda,
)
from sensitivenets.audit.attackers.local_votes import histogram_gradient_boosting
from sensitivenets.audit.run import run_audit
from sensitivenets.embeddings import encode

N_TRAIN, N = 900, 1300
D = 16


def noise(seed, unit=False):
    rows = np.random.default_rng(seed).standard_normal((N, D)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows


def label(seed):
    return np.random.default_rng([seed, 1]).integers(2, size=N)


def rotation(seed):
    return np.linalg.qr(np.random.default_rng([seed, 2]).standard_normal((D, D)))[0]


def attack(X, y, seed=0):
    """The fast attackers of the catalogue on all preparations."""
    fast = (
        logistic_regression(),
        regularised_qda(),
        quadratic(),
        histogram_gradient_boosting(),
    )
    plan = replace(full_plan({}, curves=False), attackers=fast, joint_attackers=())
    result = run_audit(
        X,
        None,
        {"label": encode("label", y)},
        plan=plan,
        split=Split(np.arange(N_TRAIN), np.arange(N_TRAIN, len(y))),
        random_state=seed,
        workers=Workers(),
        progress=None,
    )
    return result.attributes[0]


def in_a_constant_coordinate(seed, y):
    rows = noise(seed)
    rows[:, 3] = 1 + 1e-6 * y
    return rows


def in_one_coordinate_of_unit_rows(seed, y):
    rows = noise(seed, unit=True)
    rows[:, 3] += (1e-6 * y).astype(np.float32)
    return rows


def in_a_coordinate_of_deficient_rows(seed, y):
    mix = np.random.default_rng([seed, 3]).standard_normal((D, 2 * D)).astype(np.float32)
    rows = noise(seed) @ mix
    rows[:, 3] += (1e-6 * np.abs(rows).mean() * y).astype(np.float32)
    return rows


def squeezed_to_a_point(seed, y):
    rows = noise(seed)
    rows[:, 0] += 3 * y
    center = np.random.default_rng([seed, 4]).standard_normal(D)
    return (center + 1e-5 * rows).astype(np.float32)


def squeezed_along_the_signal_and_rotated(seed, y):
    rows = noise(seed)
    rows[:, 0] = 1e-5 * (rows[:, 0] + 3 * y)
    return (rows @ rotation(seed)).astype(np.float32)


def rotated(seed, y):
    rows = noise(seed)
    rows[:, 0] += 3 * y
    return (rows @ rotation(seed)).astype(np.float32)


def in_the_norm(seed, y):
    return noise(seed, unit=True) * (1 + 1e-3 * y[:, None]).astype(np.float32)


def in_noisy_norms(seed, y):
    return noise(seed) * (1 + 0.5 * y[:, None]).astype(np.float32)


@pytest.mark.parametrize("seed", [0])
@pytest.mark.parametrize(
    "plant",
    [
        in_a_constant_coordinate,
        in_one_coordinate_of_unit_rows,
        in_a_coordinate_of_deficient_rows,
        squeezed_to_a_point,
        squeezed_along_the_signal_and_rotated,
        rotated,
        in_the_norm,
        in_noisy_norms,
    ],
)
def test_a_planted_leak_is_found(plant, seed):
    y = label(seed)
    result = attack(plant(seed, y), y, seed)
    assert result.strongest.above_chance
    assert result.strongest.balanced_accuracy > 0.75
    assert result.trustworthy, result.reasons


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("turned", [False, True])
def test_a_label_only_in_a_product_of_two_coordinates_is_found(turned, seed):
    rows = noise(seed)
    y = (rows[:, 3] * rows[:, 9] > 0).astype(int)
    means = [rows[y == k].mean(axis=0) for k in (0, 1)]
    assert np.abs(means[0] - means[1]).max() < 0.2  # nothing for a linear attacker
    result = attack((rows @ rotation(seed)).astype(np.float32) if turned else rows, y, seed)
    assert result.strongest.above_chance
    assert result.strongest.balanced_accuracy > 0.65
    linear = [a for a in result.before.attackers if a.attacker == "logistic regression"]
    assert max(a.balanced_accuracy for a in linear) < 0.6


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("unit", [False, True])
def test_pure_noise_is_called_noise(unit, seed):
    result = attack(noise(seed, unit=unit), label(seed), seed)
    assert not result.strongest.above_chance
    assert "no attacker reads label better than noise would" in result.before.notes
    assert not result.trustworthy
    assert "it is not there, or the attackers are too weak" in result.reasons[0]


def test_a_constant_table_is_called_constant():
    result = attack(np.full((N, 5), 0.25, dtype=np.float32), label(0))
    assert result.strongest.attacker == "majority class"
    assert result.strongest.balanced_accuracy == 0.5
    assert "constant: all training rows are equal up to rounding" in result.before.notes
