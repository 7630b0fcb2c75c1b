from dataclasses import replace

import numpy as np
import pytest

from sensitivenets.audit import Split, audits
from sensitivenets.audit import inversion as module
from sensitivenets.audit.attack import Advantage
from sensitivenets.audit.attackers.linear_quadratic import regularised_qda
from sensitivenets.audit.audits import _OnTop
from sensitivenets.audit.inversion import INVERSION, invert
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError


@pytest.fixture(autouse=True)
def small_budget(monkeypatch):
    monkeypatch.setattr(module, "_FEWEST", 2)
    monkeypatch.setattr(module, "_MOST", 8)
    monkeypatch.setattr(module, "_HIDDEN", 64)


def unit_rows(n=600, d=8, seed=0):
    rows = np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_a_squeezed_rotation_is_undone_exactly():
    rows = unit_rows()
    mix = np.random.default_rng(1).standard_normal((8, 8)) * 10.0 ** -np.arange(8)
    found = invert(lambda X: (X @ mix).astype(np.float64), rows, 400, 0)
    assert found.summary.cosine > 0.999
    assert found.summary.r2 > 0.999
    assert abs(found.summary.chance_cosine) < 0.3


def test_a_non_linear_map_is_undone_better_by_the_network():
    rows = unit_rows(1500, 5)
    rng = np.random.default_rng(1)
    mix = rng.standard_normal((5, 60)).astype(np.float32)
    phase = rng.uniform(0, 6, 60).astype(np.float32)
    found = invert(lambda X: np.cos(2 * X @ mix + phase), rows, 1000, 0)
    assert found.summary.inverter == "ridge regression and network of 2 x 64 units"
    assert found.summary.cosine > 0.85


def test_a_constant_map_gives_nothing_back():
    rows = unit_rows()
    found = invert(lambda X: np.ones((len(X), 3), dtype=np.float32), rows, 400, 0)
    assert found.summary.inverter == "none: the image is constant"
    assert found.summary.r2 == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(found.vectors, np.tile(rows[:400].mean(axis=0), (600, 1)), atol=1e-6)


def test_the_test_rows_are_never_used_to_learn():
    rows = unit_rows()
    other = rows.copy()
    other[400:] = unit_rows(seed=5)[400:]

    def phi(X):
        return np.tanh(2 * X)

    a, b = invert(phi, rows, 400, 3), invert(phi, other, 400, 3)
    np.testing.assert_array_equal(a.vectors[:400], b.vectors[:400])


def test_broken_rows_on_either_side_do_not_hide_what_is_recovered():
    rows = unit_rows()
    rows[[3, 500]] *= 1e6
    mix = np.random.default_rng(1).standard_normal((8, 8))
    found = invert(lambda X: (X @ mix).astype(np.float64), rows, 400, 0)
    assert found.summary.cosine > 0.99
    assert found.summary.r2 > 0.99
    assert found.summary.n_test == 199


def test_a_map_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="map: expected one finite row for each of 600"):
        invert(lambda X: X[:3], unit_rows(), 400, 0)


def test_half_of_a_budget_goes_to_what_an_adversary_has_on_top():
    """The costliest advantages are left out, and inversion if what is left takes too long."""
    cheap, dear = (
        Advantage(name, "inverted", None, lambda task: task, (replace(qda, cost=cost),))
        for name, cost, qda in (("cheap", 1, regularised_qda()), ("dear", 50, regularised_qda()))
    )
    everything = _OnTop(abs, (dear, cheap))
    assert everything.within(1e6, times=1) == everything
    kept = everything.within(everything.seconds(1) - 1, times=1)
    assert (kept.phi, kept.advantages) == (None, (dear, cheap))
    assert kept.left_out == ("inversion by a network",)
    kept = everything.within(70, times=1)
    assert (kept.phi, kept.advantages, kept.left_out) == (abs, (cheap,), ("dear",))
    assert set(everything.within(0, times=1).left_out) == {"cheap", "dear", INVERSION}


@pytest.mark.parametrize(("budget", "kept"), [(1e6, True), (1e-6, False)])
def test_an_audit_asks_its_budget_for_inversion(monkeypatch, budget, kept):
    monkeypatch.setattr(audits, "run_audit", lambda *_, plan, phi, **__: (plan, phi))
    X, gender = unit_rows(), encode("gender", ["f", "m"] * 300)
    split = Split(np.arange(400), np.arange(400, 600))
    plan, phi = audits.audit(X, X, {"gender": gender}, split=split, phi=abs, budget=budget)
    assert (phi is abs, INVERSION in plan.left_out) == (kept, not kept)
