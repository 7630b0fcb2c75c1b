"""Each loss, batch and network of the adversarial erasers against a naive formula."""

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax

from sensitivenets.embeddings import encode
from sensitivenets.erasers.adversarial.adversarial_debiasing import debiased
from sensitivenets.erasers.adversarial.losses import (
    balanced_absolute_error,
    balanced_cross_entropy,
    confusion,
    negative_entropy,
)
from sensitivenets.erasers.neural.networks import Encoder, perceptron, redraw
from sensitivenets.erasers.neural.primary import ClassBatches, IdentityPairs, batch_hard_triplets
from sensitivenets.errors import InputError

CODES = torch.tensor([0, 2, -1, 1, 0, 0])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def logits():
    return 2 * torch.randn(6, 3, generator=generator(), dtype=torch.float64)


def labelled(logits):
    p = torch.softmax(logits, dim=1).tolist()
    return [(row, code) for row, code in zip(p, CODES.tolist(), strict=True) if code >= 0]


def test_balanced_cross_entropy(logits):
    rows = labelled(logits)
    weights = [WEIGHTS[code].item() for _, code in rows]
    losses = [-np.log(p[code]) for p, code in rows]
    expected = np.average(losses, weights=weights)
    assert balanced_cross_entropy(logits, CODES, WEIGHTS).item() == pytest.approx(expected)


def test_balanced_absolute_error(logits):
    rows = labelled(logits)
    weights = [WEIGHTS[code].item() for _, code in rows]
    # |p - one hot| summed over classes is twice 1 - p(true): LAFTR's |h - a| for two classes.
    losses = [np.abs(p - np.eye(3)[code]).sum() / 2 for p, code in rows]
    expected = np.average(losses, weights=weights)
    assert balanced_absolute_error(logits, CODES, WEIGHTS).item() == pytest.approx(expected)


def test_confusion(logits):
    expected = np.mean([-np.mean(np.log(p)) for p, _ in labelled(logits)])
    assert confusion(logits, CODES).item() == pytest.approx(expected)
    assert confusion(torch.zeros(6, 3), CODES).item() == pytest.approx(np.log(3))


def test_negative_entropy(logits):
    expected = np.mean([np.sum(p * np.log(p)) for p, _ in labelled(logits)])
    assert negative_entropy(logits, CODES).item() == pytest.approx(expected)
    assert negative_entropy(torch.zeros(6, 3), CODES).item() == pytest.approx(-np.log(3))
    sure = torch.tensor([[1000.0, 0, 0]], requires_grad=True)
    loss = negative_entropy(sure, torch.tensor([0]))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(sure.grad).all()


@pytest.mark.parametrize("loss", [balanced_cross_entropy, balanced_absolute_error])
def test_without_a_labelled_row_heads_lose_nothing(logits, loss):
    logits.requires_grad_()
    value = loss(logits, torch.full((6,), -1), WEIGHTS)
    value.backward()
    assert value.item() == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("loss", [confusion, negative_entropy])
def test_without_a_labelled_row_encoders_lose_nothing(logits, loss):
    assert loss(logits, torch.full((6,), -1)).item() == 0


def test_triplets_of_a_batch_one_by_one():
    features = torch.randn(10, 8, generator=generator(), dtype=torch.float64)
    features[5:7] = features[:2] + 0.1
    codes = torch.tensor([0, 1, 2, 3, 0, 0, 1, 2, 3, 0])
    unit = (features / features.norm(dim=1, keepdim=True)).numpy()
    losses = []
    for anchor in range(10):
        positive = unit[(anchor + 5) % 10]
        others = unit[(codes != codes[anchor]).numpy()]
        nearest = ((others - unit[anchor]) ** 2).sum(1).min()
        losses.append(max(0, ((unit[anchor] - positive) ** 2).sum() - nearest + 0.7))
    assert 0 < np.count_nonzero(losses) < 10
    assert batch_hard_triplets(features, codes, 0.7).item() == pytest.approx(np.mean(losses))


def test_an_anchor_without_negatives_has_no_triplet():
    features = torch.randn(4, 3, generator=generator(), requires_grad=True)
    loss = batch_hard_triplets(features, torch.zeros(4, dtype=torch.int64), 2.5)
    loss.backward()
    assert loss.item() == 0
    assert not features.grad.any()


def test_gradients_without_what_helps_the_heads_by_hand():
    primary, adversary = torch.tensor([[3.0, 1.0], [0, 2.0]]), torch.tensor([[2.0, 0], [0, 0]])
    # The part along (1, 0; 0, 0) is 3; then 0.5 of the adversary's gradient is subtracted.
    expected = torch.tensor([[-1.0, 1.0], [0, 2.0]])
    torch.testing.assert_close(debiased(primary, adversary, 0.5), expected)
    torch.testing.assert_close(debiased(primary, torch.zeros(2, 2), 0.5), primary)
    torch.testing.assert_close(debiased(None, adversary, 0.5), -0.5 * adversary)
    assert debiased(primary, None, 0.5) is primary


def test_the_projection_is_by_all_entries_of_a_matrix():
    primary, adversary = torch.randn(2, 4, 3, generator=generator(), dtype=torch.float64)
    rest = debiased(primary, adversary, 0.0)
    assert (rest * adversary).sum().item() == pytest.approx(0, abs=1e-12)
    step = debiased(primary, adversary, 2.0)
    assert (step * adversary).sum().item() == pytest.approx(-2 * adversary.square().sum().item())


@pytest.mark.parametrize("sizes", [(6, 0, 9), (6, 12, 8), (6, 15, 6), (6, 0, 4), (6, 1, 4)])
@pytest.mark.parametrize("normalise", [True, False])
def test_the_frozen_encoder_is_the_encoder(sizes, normalise):
    encoder = Encoder(*sizes, scale=0.3, normalise=normalise, generator=generator())
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator(1))
    X = torch.randn(20, 6, generator=generator(2))
    frozen = encoder.freeze()(X.numpy())
    np.testing.assert_allclose(frozen, encoder(X).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("sizes", [(6, 0, 9), (6, 0, 6), (6, 12, 8), (6, 15, 6), (6, 40, 6)])
def test_with_units_enough_an_encoder_starts_as_an_isometry(sizes):
    encoder = Encoder(*sizes, scale=2.0, normalise=False, generator=generator())
    X = torch.randn(20, 6, generator=generator(1))
    out = encoder(X)
    torch.testing.assert_close(out @ out.T, 4 * X @ X.T, atol=1e-4, rtol=1e-4)


def test_networks_leave_the_global_generator_alone():
    state = torch.get_rng_state()
    first = perceptron((3, 4, 2), generator())
    assert torch.equal(torch.get_rng_state(), state)
    again = perceptron((3, 4, 2), generator(1))
    redraw(again, generator())
    for one, two in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=0)
        assert 0 < one.abs().max() <= 3**-0.5
    assert len(perceptron((3, 0, 2), generator())) == 1


def test_pairs_are_of_one_identity_and_no_row_is_in_two():
    values = ["a"] * 5 + ["b"] * 2 + [None] * 3 + ["c"] + ["d"] * 4
    order = np.random.default_rng(0).permutation(len(values))
    identity = encode("y", [values[k] for k in order])
    task = IdentityPairs(identity, batch_size=4, margin=0.2)
    batches = list(task.batches(np.random.default_rng(1)))
    assert len(batches) > 1
    for rows in batches:
        left, right = np.split(identity.codes[rows], 2)
        np.testing.assert_array_equal(left, right)
        assert (left >= 0).all()
    used = np.concatenate(batches)
    assert len(used) == len(set(used.tolist())) == 2 * (2 + 1 + 2)
    assert set(used.tolist()) != set(
        np.concatenate(list(task.batches(np.random.default_rng(2)))).tolist()
    )


def test_without_pairs_triplets_are_refused():
    message = "at least two identities in y with two rows each, found 1; use loss='cross_entropy'"
    with pytest.raises(InputError, match=message):
        IdentityPairs(encode("y", ["a", "a", "b", "c"]), batch_size=4, margin=0.2)


def test_the_class_task_is_cross_entropy_on_labelled_rows():
    labels = encode("y", ["a", None, "c", "b", "a", "b", None, "c", "c", "a"])
    task = ClassBatches(
        labels, batch_size=3, n_units=4, generator=generator(), device=torch.device("cpu")
    )
    batches = list(task.batches(np.random.default_rng(0)))
    assert sorted(np.concatenate(batches).tolist()) == [0, 2, 3, 4, 5, 7, 8, 9]
    features = torch.randn(len(batches[0]), 4, generator=generator(1))
    weight, bias = task.parameters()
    logits = 2 * features @ weight.T + bias  # the square root of four units
    codes = torch.from_numpy(labels.codes[batches[0]])
    expected = -log_softmax(logits, 1)[torch.arange(len(codes)), codes].mean()
    torch.testing.assert_close(task.loss(features, batches[0]), expected)
