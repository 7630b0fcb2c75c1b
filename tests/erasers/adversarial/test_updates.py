"""The adversarial erasers: one update of encoder and heads, against naive formulas."""

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import encode
from sensitivenets.erasers.adversarial.adversarial_debiasing import AdversarialDebiasing, debiased
from sensitivenets.erasers.adversarial.blind_eye import BlindEye
from sensitivenets.erasers.adversarial.gradient_reversal import GradientReversal
from sensitivenets.erasers.adversarial.laftr import LAFTR
from sensitivenets.erasers.adversarial.learning_not_to_learn import LearningNotToLearn
from sensitivenets.erasers.adversarial.losses import (
    balanced_absolute_error,
    balanced_cross_entropy,
    confusion,
    negative_entropy,
)
from sensitivenets.erasers.adversarial.parameters import UpdateRecord
from sensitivenets.erasers.adversarial.pass_ensemble import PASS
from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer, gradients
from sensitivenets.erasers.adversarial.training import _record, train
from sensitivenets.erasers.base import FitData
from sensitivenets.erasers.neural.primary import IdentityPairs, batch_hard_triplets


def noise(n=48, d=6):
    """Random rows: twelve identities of four rows, a gender and an ethnicity with nulls."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)).astype(np.float32)
    gender = rng.choice(["f", "m"], n).astype(object)
    ethnicity = rng.choice(["1", "2", "3"], n).astype(object)
    gender[::5] = None
    gender[1], ethnicity[2:9] = None, None
    return X, np.arange(n) // 4, {"gender": gender, "ethnicity": ethnicity}


def start(eraser, **attributes):
    """A trainer on noise whose batches are all of D-S, with the warm-up over."""
    X, y, sensitive = noise()
    labels = {name: encode(name, v) for name, v in (attributes or sensitive).items()}
    eraser.set_params(batch_size=1000, n_hidden=16, n_head_units=4)
    trainer = AdversarialTrainer(
        FitData(X, encode("y", y), X, labels, 0),
        encode("y", y),
        eraser,
        eraser._design(),
        torch.device("cpu"),
    )
    trainer.strength = 1.0
    [rows] = trainer.batches()
    return trainer, rows


def weights_of(parameters):
    return [parameter.detach().clone() for parameter in parameters]


def same(parameters, before):
    return [torch.equal(now, old) for now, old in zip(parameters, before, strict=True)]


class Reversal(torch.autograd.Function):
    """A gradient reversal layer, as it is usually written."""

    @staticmethod
    def forward(ctx, features, weight):
        ctx.weight = weight
        return features.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.weight * gradient, None


def test_gradient_reversal_is_a_reversal_layer():
    eraser = GradientReversal(adversarial_weight=0.7, schedule="constant", n_head_steps=1)
    trainer, rows = start(eraser)
    parameters = [*trainer.encoder_parameters, *trainer.head_parameters]
    batch = trainer.sensitive.draw()
    reversed_features = Reversal.apply(trainer.encoder(batch.X), 0.7)
    loss = trainer.primary_loss(rows) + trainer.head_loss(reversed_features, batch.codes)
    expected = torch.autograd.grad(loss, parameters)
    before = weights_of(parameters)
    eraser._update(trainer, rows)
    for parameter, gradient in zip(parameters, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)
    assert not any(same(parameters, before))


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.1, 0.46212), (1.0, 0.99991)])
def test_the_weight_of_the_reversed_gradient_grows(progress, share):
    """Values of 2 / (1 + exp(-10 p)) - 1."""
    eraser = GradientReversal(adversarial_weight=3.0, n_head_steps=1)
    trainer, rows = start(eraser)
    trainer.progress = progress
    record = eraser._update(trainer, rows)
    assert record.loss - record.primary == pytest.approx(3 * share * record.hidden, abs=1e-4)


def test_learning_not_to_learn_updates_the_encoder_twice_and_the_heads_once():
    eraser = LearningNotToLearn(adversarial_weight=0.3, reversal_weight=0.2, learning_rate=0.01)
    trainer, rows = start(eraser)
    batch = trainer.sensitive.draw()
    encoder_before, heads_before = (
        weights_of(trainer.encoder_parameters),
        weights_of(trainer.head_parameters),
    )

    def sgd(old, gradients, momentum):
        """The authors' rule: the steps' momentum goes on from (A) to (B)."""
        momentum = [
            0.9 * m + g + 5e-4 * p for m, g, p in zip(momentum, gradients, old, strict=True)
        ]
        return [p - 0.01 * m for p, m in zip(old, momentum, strict=True)], momentum

    features = trainer.encoder(batch.X)
    entropies = [
        negative_entropy(logits, batch.codes[:, k])
        for k, [logits] in enumerate(trainer.logits(features))
    ]
    loss = trainer.primary_loss(rows) + 0.3 * sum(entropies) / 2
    after_a, momentum = sgd(
        encoder_before,
        torch.autograd.grad(loss, trainer.encoder_parameters),
        [torch.zeros_like(k) for k in encoder_before],
    )
    with torch.no_grad():
        for parameter, value in zip(trainer.encoder_parameters, after_a, strict=True):
            parameter.copy_(value)
    read = trainer.head_loss(trainer.encoder(batch.X), batch.codes)
    against = torch.autograd.grad(read, trainer.encoder_parameters, retain_graph=True)
    after_b, _ = sgd(after_a, [-0.2 * g for g in against], momentum)
    heads, _ = sgd(
        heads_before,
        torch.autograd.grad(read, trainer.head_parameters),
        [torch.zeros_like(r) for r in heads_before],
    )

    again, rows = start(eraser)
    record = eraser._update(again, rows)
    assert record.hidden == pytest.approx(sum(entropies).item() / 2, rel=1e-5)
    for now, expected in zip(
        [*again.encoder_parameters, *again.head_parameters], [*after_b, *heads], strict=True
    ):
        torch.testing.assert_close(now.detach(), expected, atol=1e-6, rtol=1e-4)


def test_blind_eye_confuses_heads_that_stay_as_they_are(monkeypatch):
    eraser = BlindEye(adversarial_weight=0.4, n_head_steps=3)
    trainer, rows = start(eraser)
    encoder, heads = weights_of(trainer.encoder_parameters), weights_of(trainer.head_parameters)
    trainer.train_heads(2)
    assert all(same(trainer.encoder_parameters, encoder))
    assert not any(same(trainer.head_parameters, heads))
    monkeypatch.setattr(trainer.encoder_optimiser, "step", lambda: None)
    record = eraser._update(trainer, rows)
    batch = trainer.sensitive.draw()
    read = trainer.logits(trainer.encoder(batch.X))
    losses = [confusion(logits, batch.codes[:, k]) for k, [logits] in enumerate(read)]
    expected = trainer.primary_loss(rows) + 0.4 * (losses[0] + losses[1]) / 2
    assert record.loss == pytest.approx(expected.item(), rel=1e-5)
    for parameter, gradient in zip(
        trainer.encoder_parameters,
        torch.autograd.grad(expected, trainer.encoder_parameters),
        strict=True,
    ):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-6, rtol=1e-4)


def test_adversarial_debiasing_never_helps_the_heads(monkeypatch):
    eraser = AdversarialDebiasing(adversarial_weight=0.6)
    trainer, rows = start(eraser)
    monkeypatch.setattr(trainer.encoder_optimiser, "step", lambda: None)
    eraser._update(trainer, rows)
    batch = trainer.sensitive.draw()
    against = gradients(
        trainer.head_loss(trainer.encoder(batch.X), batch.codes), trainer.encoder_parameters
    )
    primary = gradients(trainer.primary_loss(rows), trainer.encoder_parameters)
    for parameter, own, theirs in zip(trainer.encoder_parameters, primary, against, strict=True):
        torch.testing.assert_close(parameter.grad, debiased(own, theirs, 0.6), atol=1e-6, rtol=1e-3)
        square = theirs.square().sum().item()
        assert (parameter.grad * theirs).sum().item() == pytest.approx(-0.6 * square, rel=1e-2)


def test_laftr_weighs_its_losses_and_rebuilds_with_the_attributes():
    eraser = LAFTR(adversarial_weight=0.5, reconstruction_weight=2.0, primary_weight=3.0)
    trainer, rows = start(eraser)
    batch = trainer.sensitive.draw()
    features = trainer.encoder(batch.X)
    known = torch.zeros(len(features), 5)
    for row, (gender, ethnicity) in enumerate(batch.codes.tolist()):
        for column in (gender, 2 + ethnicity if ethnicity >= 0 else -1):
            if column >= 0:
                known[row, column] = 1
    rebuilt = trainer._decoder(torch.cat([features * 6**0.5, known], dim=1)) / trainer.encoder.scale
    mean_square = (trainer._X**2).sum(dim=1).mean()
    distance = ((rebuilt - batch.X) ** 2).sum(dim=1).mean() / mean_square
    read = trainer.head_loss(features, batch.codes)
    expected = 3 * trainer.primary_loss(rows) + 2 * distance - 0.5 * read
    assert eraser._update(trainer, rows).loss == pytest.approx(expected.item(), rel=1e-4)


def test_heads_weigh_classes_alike_and_attributes_alike():
    trainer, _ = start(GradientReversal(), rare=["a"] * 40 + ["b"] * 8, common=["c", "d"] * 24)
    ratio = trainer.attributes[0].class_weights
    assert (ratio[1] / ratio[0]).item() == pytest.approx(5)
    batch = trainer.sensitive.draw()
    features = trainer.encoder(batch.X)
    one, two = (
        balanced_cross_entropy(logits, batch.codes[:, k], trainer.attributes[k].class_weights)
        for k, [logits] in enumerate(trainer.logits(features))
    )
    assert trainer.head_loss(features, batch.codes).item() == pytest.approx((one + two).item() / 2)


def test_pass_hides_from_the_strongest_discriminator():
    eraser = PASS(n_discriminators=3, encoder_steps=4)
    trainer, rows = start(eraser)
    trainer.n_updates = 1
    batch = trainer.sensitive.draw()
    strongest = [
        max(confusion(logits, batch.codes[:, k]).item() for logits in heads)
        for k, heads in enumerate(trainer.logits(trainer.encoder(batch.X)))
    ]
    before = weights_of(trainer.head_parameters)
    assert eraser._update(trainer, rows).hidden == pytest.approx(np.mean(strongest), rel=1e-5)
    assert all(same(trainer.head_parameters, before))


def test_pass_trains_one_discriminator_a_turn_and_restarts_all():
    eraser = PASS(n_discriminators=3, discriminator_steps=2, restart_interval=5)
    trainer, _ = start(eraser)

    def moved(turn):
        heads = [attribute.heads for attribute in trainer.attributes]
        before = [[weights_of(head.parameters()) for head in of_one] for of_one in heads]
        eraser._update_discriminators(trainer, turn)
        return [
            [not any(same(head.parameters(), old)) for head, old in zip(*both, strict=True)]
            for both in zip(heads, before, strict=True)
        ]

    assert moved(4) == [[False, True, False]] * 2
    assert moved(5) == [[True, True, True]] * 2


def test_pass_stops_a_discriminator_that_can_read(monkeypatch):
    eraser = PASS(n_discriminators=2, discriminator_steps=50, stop_accuracy=0.9)
    trainer, _ = start(eraser)
    read = iter([0.5, 0.89, 0.9])
    monkeypatch.setattr(trainer, "accuracy", lambda head: next(read))
    eraser._update_discriminators(trainer, 1)
    assert next(read, None) is None


def test_every_labelled_row_is_drawn_once_before_any_comes_again():
    X, y, sensitive = noise()
    labels = {name: encode(name, values) for name, values in sensitive.items()}
    known = [g is not None or e is not None for g, e in zip(*sensitive.values(), strict=True)]
    eraser = BlindEye(batch_size=7, n_hidden=8)
    data = FitData(X, None, X, labels, 0)
    trainer = AdversarialTrainer(
        data, encode("y", y), eraser, eraser._design(), torch.device("cpu")
    )
    drawn = np.concatenate([trainer.sensitive.draw().X.numpy() for _ in range(20)])
    n_known = sum(known)
    assert 0 < n_known < len(X)
    for start in (0, n_known):
        once = drawn[start : start + n_known]
        assert {row.tobytes() for row in once} == {row.tobytes() for row in X[known]}


def test_accuracy_is_of_labelled_rows_and_the_least_of_the_attributes():
    trainer, _ = start(PASS(n_discriminators=2))
    batch = trainer.sensitive.draw()
    shares = []
    for k, heads in enumerate(trainer.logits(trainer.encoder(batch.X))):
        codes, read = batch.codes[:, k].numpy(), heads[1].argmax(dim=1).numpy()
        shares.append(np.mean(read[codes >= 0] == codes[codes >= 0]))
    assert shares[0] != shares[1]
    assert trainer.accuracy(1) == pytest.approx(min(shares))


def test_each_side_has_a_rate_of_its_own_and_restarted_heads_no_memory():
    trainer, _ = start(PASS(learning_rate=1e-3, head_learning_rate=3e-3))
    trainer.set_rate(0.1)
    rates = [o.param_groups[0]["lr"] for o in (trainer.encoder_optimiser, trainer.head_optimiser)]
    assert rates == pytest.approx([1e-4, 3e-4])
    trainer.train_heads(2)
    assert trainer.head_optimiser.state
    trainer.restart_heads()
    assert not trainer.head_optimiser.state


def test_networks_see_features_of_mean_square_one():
    trainer, _ = start(PASS(normalise=True))
    lengths = (trainer._X * trainer.encoder.scale).square().sum(dim=1)
    assert lengths.mean().item() == pytest.approx(1, rel=1e-5)
    features = trainer.encoder(trainer._X)
    assert features.square().mean().item() == pytest.approx(1 / 6, rel=1e-5)
    for attribute, logits in zip(trainer.attributes, trainer.logits(features), strict=True):
        torch.testing.assert_close(logits[0], attribute.heads[0](6**0.5 * features))
        assert any(isinstance(layer, torch.nn.SELU) for layer in attribute.heads[0])


@pytest.mark.parametrize(
    "method", [LearningNotToLearn, BlindEye, GradientReversal, LAFTR, AdversarialDebiasing]
)
def test_heads_learn_from_as_many_batches_as_asked(method, monkeypatch):
    eraser = method(n_head_steps=4)
    trainer, rows = start(eraser)
    steps = []
    step = trainer.head_optimiser.step
    monkeypatch.setattr(trainer.head_optimiser, "step", lambda: steps.append(step()))
    eraser._update(trainer, rows)
    assert len(steps) == 4


def test_laftr_heads_may_minimise_the_absolute_error(monkeypatch):
    eraser = LAFTR(head_loss="l1", n_head_steps=2)
    trainer, rows = start(eraser)
    batch = trainer.sensitive.draw()
    read = trainer.head_loss(trainer.encoder(batch.X), batch.codes, balanced_absolute_error)
    taught = []
    monkeypatch.setattr(trainer, "train_heads", lambda *how: taught.append(how))
    assert eraser._update(trainer, rows).hidden == pytest.approx(-read.item())
    assert taught == [(2, balanced_absolute_error)]


def test_laftr_without_y_takes_as_many_batches_as_there_are_rows_with_labels():
    X, _, sensitive = noise()
    labels = {"gender": encode("gender", sensitive["gender"])}
    eraser = LAFTR(batch_size=7, n_hidden=8)
    trainer = AdversarialTrainer(
        FitData(X, None, X, labels, 0), None, eraser, eraser._design(), torch.device("cpu")
    )
    assert trainer.batches() == [None] * (sum(g is not None for g in sensitive["gender"]) // 7)


def test_while_warming_up_debiasing_leaves_the_primary_gradient_alone(monkeypatch):
    eraser = AdversarialDebiasing(adversarial_weight=0.6)
    trainer, rows = start(eraser)
    trainer.strength = 0.0
    monkeypatch.setattr(trainer.encoder_optimiser, "step", lambda: None)
    eraser._update(trainer, rows)
    primary = gradients(trainer.primary_loss(rows), trainer.encoder_parameters)
    for parameter, own in zip(trainer.encoder_parameters, primary, strict=True):
        torch.testing.assert_close(parameter.grad, own, atol=1e-6, rtol=1e-4)


def test_pass_trains_all_discriminators_by_a_batch_each_while_warming_up(monkeypatch):
    eraser = PASS(n_discriminators=3)
    trainer, rows = start(eraser)
    trainer.strength = 0.0
    taught = []
    monkeypatch.setattr(trainer, "train_heads", lambda *how: taught.append(how))
    eraser._update(trainer, rows)
    assert taught == [(1,)]


def test_a_turn_of_pass_begins_with_its_discriminator(monkeypatch):
    eraser = PASS(encoder_steps=4)
    trainer, rows = start(eraser)
    turns = []
    monkeypatch.setattr(
        eraser,
        "_update_discriminators",
        lambda trainer, turn: turns.append((trainer.n_updates, turn)),
    )
    for trainer.n_updates in range(9):
        eraser._update(trainer, rows)
    assert turns == [(0, 0), (4, 1), (8, 2)]


def test_discriminators_that_start_afresh_learn_for_a_whole_turn(monkeypatch):
    eraser = PASS(n_discriminators=2, discriminator_steps=7, restart_interval=5)
    trainer, _ = start(eraser)
    taught = []
    monkeypatch.setattr(trainer, "train_heads", lambda *how: taught.append(how))
    eraser._update_discriminators(trainer, 5)
    assert taught == [(7,)]


def test_the_margin_is_the_one_asked_for():
    trainer, rows = start(BlindEye(margin=0.7))
    codes = torch.arange(48)[rows] // 4
    expected = batch_hard_triplets(trainer.encoder(trainer._X[rows]), codes, 0.7)
    torch.testing.assert_close(trainer.primary_loss(rows), expected)


def test_progress_steps_and_rates_begin_after_the_warm_up():
    X, y, sensitive = noise()
    labels = {name: encode(name, values) for name, values in sensitive.items()}
    # Twelve pairs of rows a batch, of 24.
    eraser = BlindEye(batch_size=24, learning_rate=0.01)
    seen = []

    def update(trainer, rows):
        rate = trainer.encoder_optimiser.param_groups[0]["lr"]
        seen.append((trainer.strength, trainer.progress, trainer.n_updates, rate))
        assert len(rows) == 24
        return UpdateRecord(1.0, 2.0, 3.0)

    data, cpu = FitData(X, encode("y", y), X, labels, 0), torch.device("cpu")
    trainer = AdversarialTrainer(data, data.target, eraser, eraser._design(), cpu)
    train(
        trainer,
        update,
        n_epochs=2,
        warm_up=1,
        rate=lambda p: 1 - p / 2,
        seed=data.seed,
        verbose=False,
    )
    coupled = [(1, k / 4, k, 0.01 * (1 - k / 8)) for k in range(4)]
    np.testing.assert_allclose(seen, [(0, 0, 0, 0.01)] * 2 + coupled)


def test_the_rates_of_learning_not_to_learn_are_the_authors():
    found = [LearningNotToLearn._rate(p) for p in (0.0, 0.39, 0.41, 0.79, 0.81, 0.99)]
    assert found == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_the_curve_has_the_best_head_on_labelled_rows():
    trainer, _ = start(PASS(n_discriminators=3))
    rows = np.arange(48)
    record = _record(trainer, 1, [UpdateRecord(1, 2, 3), UpdateRecord(3, 2, 2)], False, rows)
    assert (record.loss, record.primary, record.hidden) == (2, 2, 2.5)
    batch = trainer.sensitive.take(rows)
    for k, logits in enumerate(trainer.logits(trainer.encoder(batch.X))):
        codes = batch.codes[:, k].numpy()
        reads = [
            balanced_accuracy_score(codes[codes >= 0], logit.argmax(1).numpy()[codes >= 0])
            for logit in logits
        ]
        assert len(set(reads)) > 1
        assert record.heads[trainer.attributes[k].labels.name] == max(reads)


def test_a_batch_of_pairs_is_of_people_in_no_order():
    task = IdentityPairs(encode("y", np.arange(80) // 2), batch_size=20, margin=0.2)
    first = next(task.batches(np.random.default_rng(0)))
    assert len(first) == 20
    assert np.ptp(first // 2) > 20


def test_learning_not_to_learn_has_the_authors_optimiser_on_both_sides():
    trainer, _ = start(LearningNotToLearn())
    for optimiser in (trainer.encoder_optimiser, trainer.head_optimiser):
        assert isinstance(optimiser, torch.optim.SGD)
        (group,) = optimiser.param_groups
        assert (group["momentum"], group["weight_decay"]) == (0.9, 5e-4)
