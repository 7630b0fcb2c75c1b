"""Detectors: best responses, their two recipes, and what they claim about themselves."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sensitivenets.embeddings import encode
from sensitivenets.sensitivenet.detectors import (
    Adversary,
    DetectorTrainer,
    best_responses,
    regulariser,
)


def clouds(n=600, classes=3, d=6, seed=0, distance=2.0):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, classes, n)
    X = rng.standard_normal((n, d)) + distance * np.eye(classes, d)[codes]
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    return X, encode("group", codes)


@pytest.mark.parametrize("classes", [2, 3])
def test_lbfgs_is_the_optimum_of_multinomial_regression(classes):
    X, labels = clouds(classes=classes)
    trainer = DetectorTrainer(labels, solver="lbfgs", C=1.0, seed=0)
    detector = trainer.fit(X)
    fitted = trainer._fitted
    reference = LogisticRegression(C=1.0, tol=1e-8, max_iter=5000)
    reference.fit(X[fitted].astype(np.float64), labels.codes[fitted])
    logits = X @ detector.weight + detector.bias
    probability = torch.softmax(torch.from_numpy(logits), dim=1).numpy()
    np.testing.assert_allclose(probability, reference.predict_proba(X), atol=5e-3)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_both_recipes_read_an_attribute_that_is_there(solver):
    X, labels = clouds()
    detector = DetectorTrainer(labels, solver=solver, C=10.0, seed=0).fit(X)
    assert detector.weight.shape == (6, 3)
    assert detector.balanced_accuracy > 0.6


def test_accuracy_is_measured_on_rows_kept_from_the_fit():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 100)).astype(np.float32)
    labels = encode("noise", rng.integers(0, 2, 120))
    trainer = DetectorTrainer(labels, solver="lbfgs", C=1e4, seed=0)
    detector = trainer.fit(X)
    guess = np.argmax(X @ detector.weight + detector.bias, axis=1)
    assert np.mean(guess[trainer._fitted] == labels.codes[trainer._fitted]) == 1.0
    assert detector.balanced_accuracy < 0.75
    assert not set(trainer._fitted) & set(trainer._measured)


@pytest.mark.parametrize("seed", range(12))
def test_unlabelled_rows_take_no_part_and_a_class_of_one_row_is_learned(seed):
    codes = [None, "a", "b", "a", "b", "a", "a", "rare"] + ["a", "b"] * 20
    labels = encode("group", np.array(codes, dtype=object))
    trainer = DetectorTrainer(labels, solver="lbfgs", C=1.0, seed=seed)
    assert 0 not in {*trainer._fitted, *trainer._measured}
    assert 7 in trainer._fitted


def test_a_response_is_the_same_for_a_rotated_phi():
    X, labels = clouds()
    rng = np.random.default_rng(1)
    folded = rng.standard_normal((6, 16)).astype(np.float32)
    turn = np.linalg.qr(rng.standard_normal((16, 16)))[0].astype(np.float32)

    def probabilities(F):
        trainer = DetectorTrainer(labels, solver="lbfgs", C=1.0, seed=0)
        [detector] = best_responses([Adversary(trainer, X, 0, 0.9)], F, torch.device("cpu"))
        phi = torch.nn.functional.normalize(torch.from_numpy(X @ F), dim=1)
        return torch.softmax(phi @ detector.weight + detector.bias, dim=1)

    torch.testing.assert_close(
        probabilities(folded), probabilities(folded @ turn), atol=1e-3, rtol=1e-3
    )


def test_the_regulariser_sums_eq_6_over_rows_and_detectors():
    X, labels = clouds(n=60)
    trainers = [DetectorTrainer(labels, solver="lbfgs", C=1.0, seed=s) for s in (0, 1)]
    adversaries = [Adversary(trainers[0], X, 0, 0.9), Adversary(trainers[1], X, 2, 0.3)]
    detectors = best_responses(adversaries, np.eye(6, dtype=np.float32), torch.device("cpu"))
    phi = torch.from_numpy(X)
    weights = torch.rand(60, generator=torch.Generator().manual_seed(0))
    products = torch.cat([phi @ d.weight for d in detectors], dim=1)
    expected = 0.0
    for detector in detectors:
        for i in range(60):
            p = torch.softmax(phi[i] @ detector.weight + detector.bias, dim=0)
            lam = torch.log(1 + torch.abs(detector.target - p[detector.target_class]))
            expected += float(weights[i] * lam)
    assert float(regulariser(products, detectors, weights)) == pytest.approx(expected, rel=1e-5)
