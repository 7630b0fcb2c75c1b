"""Kernel machines whose matrices torch makes, on the device that every machine has."""

from dataclasses import replace

import numpy as np
import pytest

from sensitivenets.audit.attack import Workers
from sensitivenets.audit.attackers.catalogue import class_attackers, quick_plan
from sensitivenets.audit.attackers.on_device import KernelsOnDevice, kernels_on
from sensitivenets.audit.attackers.smooth_functions import (
    IN_NUMPY,
    RecursiveFeatureMachine,
    RelativeSVC,
    rbf_svm,
)
from sensitivenets.audit.audits import quick_audit
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError

HERE = kernels_on("cpu")
RNG = np.random.default_rng(0)
Y = RNG.integers(2, size=400)
X = RNG.standard_normal((400, 12)).astype(np.float32)
X[:, 0] += Y


@pytest.mark.parametrize(("dtype", "most"), [(np.float32, 1e-4), (np.float64, 1e-10)])
def test_matrices_are_those_of_numpy(dtype, most):
    a, b = X[:60].astype(dtype), X[50:90].astype(dtype)
    gaussian = HERE.gaussian(a, b, 0.1)
    assert gaussian.dtype == dtype
    np.testing.assert_allclose(gaussian, IN_NUMPY.gaussian(a, b, 0.1), atol=most)
    apart = IN_NUMPY.distances(a, b) > 0.1
    difference = HERE.distances(a, b) - IN_NUMPY.distances(a, b)
    assert np.abs(difference[apart]).max() < most
    kernel = IN_NUMPY.gaussian(a, a, 0.1) + np.eye(len(a), dtype=dtype)
    columns = b[:, :2].repeat(2, axis=0)[: len(a)]
    np.testing.assert_allclose(
        HERE.solve(kernel, columns), np.linalg.solve(kernel, columns), atol=most
    )


@pytest.mark.parametrize("machine", [RelativeSVC, RecursiveFeatureMachine])
def test_machines_answer_alike(machine):
    one, other = (machine(kernels=k).fit(X[:300], Y[:300]) for k in (IN_NUMPY, HERE))
    # A solver stops at a thousandth, and what is learned of it multiplies what was rounded.
    scores, there = (m.decision_function(X[300:]) for m in (one, other))
    np.testing.assert_allclose(there, scores, atol=1e-2)
    assert np.mean(one.predict(X[300:]) == other.predict(X[300:])) > 0.98


def test_whoever_takes_kernels_gets_them_and_nobody_else_changes():
    workers = Workers(kernels=HERE)
    equipped = {}
    for attacker in class_attackers():
        _, estimator = workers.equipped(attacker).candidates[0]
        equipped[attacker.name] = getattr(estimator, "kernels", None)
        assert Workers().equipped(attacker) is attacker
    takes = {name for name, kernels in equipped.items() if kernels is not None}
    assert takes == {"RBF-SVM", "learned-metric kernel"}
    assert all(equipped[name] == HERE for name in takes)


def test_an_audit_multiplies_there(monkeypatch):
    asked = []
    gaussian = KernelsOnDevice.gaussian
    monkeypatch.setattr(
        KernelsOnDevice, "gaussian", lambda *rows: asked.append(1) or gaussian(*rows)
    )
    svm = replace(quick_plan().attackers[1], candidates=rbf_svm().candidates[:1])
    plan = replace(quick_plan(), attackers=(svm,), shuffled_attackers=(svm,))
    monkeypatch.setattr("sensitivenets.audit.audits.quick_plan", lambda: plan)
    attributes = {"label": encode("label", Y)}
    split = Split(np.arange(300), np.arange(300, 400))
    results = [
        quick_audit(X, None, attributes, split=split, n_jobs=1, kernels=kernels)
        for kernels in (None, HERE)
    ]
    assert asked
    one, other = (found.attributes[0].strongest.balanced_accuracy for found in results)
    assert one == pytest.approx(other, abs=0.02)


def test_a_device_that_is_not_here_is_refused():
    with pytest.raises(InputError, match="device 'meta': expected one on which torch"):
        kernels_on("meta")
