"""Ours beside fairlearn's, on the same arrays."""

import copy

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sensitivenets.erasers.adversarial.adversarial_debiasing import debiased
from sensitivenets.erasers.linear.leace import LEACE

ALPHA = 0.5


@pytest.fixture(scope="module")
def leaky():
    rng = np.random.default_rng(0)
    gender, age = rng.integers(2, size=2000), rng.integers(3, size=2000)
    X = rng.standard_normal((2000, 6))
    X[:, 0] += 2 * gender
    X[:, 1] += age
    return X, gender, age


def test_correlation_remover_and_leace_hide_the_same_from_linear_attackers(leaky):
    preprocessing = pytest.importorskip("fairlearn.preprocessing", reason="needs fairlearn")
    X, gender, age = leaky
    one_hot = np.column_stack([gender, age == 1, age == 2]).astype(float)
    remover = preprocessing.CorrelationRemover(sensitive_feature_ids=[0, 1, 2])
    theirs = remover.fit_transform(np.hstack([one_hot, X]))
    eraser = LEACE(covariance_rows=None).fit(X, sensitive={"gender": gender, "age": age})
    ours = eraser.transform(X)
    for hidden in (theirs, ours):
        reader = LogisticRegression().fit(hidden, gender)
        assert abs(reader.score(hidden, gender) - max(gender.mean(), 1 - gender.mean())) < 0.005
    # Given the attributes of each row, fairlearn's edit is the smaller one; ours is not given them.
    assert np.square(theirs - X).mean() < np.square(ours - X).mean()
    with pytest.raises(ValueError, match="features"):
        remover.transform(X)
    assert eraser.transform(X[:5]).shape == (5, 6)


def test_fairlearns_projection_leaves_what_helps_the_adversary_in_a_matrix():
    adversarial = pytest.importorskip("fairlearn.adversarial", reason="needs fairlearn")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    X = rng.standard_normal((64, 5)).astype(np.float32)
    y, a = (X[:, 0] > 0).astype(int), (X[:, 0] + X[:, 1] > 0).astype(int)
    torch.manual_seed(0)
    predictor = torch.nn.Sequential(
        torch.nn.Linear(5, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1), torch.nn.Sigmoid()
    )
    adversary = torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.Sigmoid())
    primary, against = _gradients(predictor, adversary, X, y, a)
    start = [p.detach().clone() for p in predictor.parameters()]
    adversarial.AdversarialFairnessClassifier(
        backend="torch",
        predictor_model=predictor,
        adversary_model=adversary,
        predictor_optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=1.0),
        adversary_optimizer=lambda model: torch.optim.SGD(model.parameters(), lr=0.0),
        alpha=ALPHA,
        epochs=1,
        batch_size=64,
        shuffle=False,
        random_state=0,
    ).fit(X, y, sensitive_features=a)
    steps = [
        was - is_now.detach() for was, is_now in zip(start, predictor.parameters(), strict=True)
    ]

    ours = [debiased(*both, ALPHA) for both in zip(primary, against, strict=True)]
    assert [step.ndim for step in steps] == [2, 1, 2, 1]
    for k in (1, 2, 3):  # vectors, and a matrix of one row
        torch.testing.assert_close(steps[k], ours[k], atol=1e-6, rtol=1e-3)
    along = [((step[0] + ALPHA * against[0]) * against[0]).sum().item() for step in (steps, ours)]
    assert abs(along[0]) > 0.1 * against[0].square().sum().item()
    assert abs(along[1]) < 1e-6


def _gradients(predictor, adversary, X, y, a):
    """Gradients of the predictor's loss and of the adversary's, by parameter of the predictor."""
    import torch

    predictor, adversary = copy.deepcopy(predictor), copy.deepcopy(adversary)
    said = predictor(torch.from_numpy(X))
    targets = [torch.from_numpy(t.astype(np.float32))[:, None] for t in (y, a)]
    losses = [
        torch.nn.functional.binary_cross_entropy(output, target)
        for output, target in zip((said, adversary(said)), targets, strict=True)
    ]
    parameters = list(predictor.parameters())
    return [torch.autograd.grad(loss, parameters, retain_graph=True) for loss in losses]
