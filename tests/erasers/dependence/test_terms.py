"""The losses of the erasers trained by descent, term by term, at the weights they start from."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from sensitivenets.embeddings import encode
from sensitivenets.erasers.base import FitData
from sensitivenets.erasers.dependence import decomposition, oblivious_steps
from sensitivenets.erasers.dependence.data_domain import DataDomain
from sensitivenets.erasers.dependence.decomposition import identity_encoder
from sensitivenets.erasers.dependence.farm import FaRM, KRaM
from sensitivenets.erasers.dependence.measures import (
    class_covariance,
    coding_rate,
    kernel_rate,
    mean_class_rate,
    median_distance,
    moment_gaps,
)
from sensitivenets.erasers.dependence.obliviator import Obliviator
from sensitivenets.erasers.dependence.pfrnet import PFRNet
from sensitivenets.erasers.neural.networks import Encoder, perceptron
from sensitivenets.erasers.neural.training import minimise
from sensitivenets.erasers.neural.training_rows import training_rows
from sensitivenets.maps.chain import Chain

CPU = torch.device("cpu")
# One step with all rows, too small to move anything.
STILL = {"n_epochs": 1, "batch_size": 90, "learning_rate": 1e-12, "random_state": 0}
SEED = int(np.random.RandomState(0).randint(2**31))


def noise():
    """Rows of no unit scale, thirty people, a gender with nulls and a group."""
    rng = np.random.default_rng(1)
    X = (3 * rng.standard_normal((90, 6)) + 1).astype(np.float32)
    gender = rng.choice(["f", "m"], 90).astype(object)
    gender[::7] = None
    return X, np.arange(90) // 3, {"gender": gender, "group": rng.integers(3, size=90)}


def hidden_classes():
    X, _, sensitive = noise()
    attributes = {name: encode(name, values) for name, values in sensitive.items()}
    return training_rows(FitData(X, None, X, attributes, 0), CPU).hidden


def generator():
    return torch.Generator().manual_seed(SEED)


def record_of(eraser, y=None):
    X, _, sensitive = noise()
    return eraser.fit(X, y, sensitive=sensitive).model_.curve[0]


def test_descent_is_adam_on_each_batch_of_each_epoch():
    start = torch.tensor([3.0, -2.0])
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    targets = torch.arange(12.0).reshape(6, 2)

    def loss(point, rows):
        return (point - targets[rows]).square().sum(1).mean()

    drawn = []

    def terms(rows):
        drawn.append(rows)
        return {"loss": loss(ours, rows), "half": loss(ours, rows) / 2}

    how = {"n_epochs": 3, "batch_size": 3, "learning_rate": 0.1}
    curve = minimise([ours], terms, 6, **how, generator=generator(), device=CPU)
    adam, losses = torch.optim.Adam([theirs], lr=0.1), []
    for rows in drawn:
        adam.zero_grad()
        value = loss(theirs, rows)
        value.backward()
        adam.step()
        losses.append(value.item())
    torch.testing.assert_close(ours, theirs)
    assert [record["epoch"] for record in curve] == [1, 2, 3]
    means = np.reshape(losses, (3, 2)).mean(axis=1)
    assert [record["loss"] for record in curve] == pytest.approx(means)
    assert [record["half"] for record in curve] == pytest.approx(means / 2)
    for epoch in range(3):
        assert sorted(torch.cat(drawn[2 * epoch : 2 * epoch + 2]).tolist()) == list(range(6))


def test_the_terms_of_pfrnet_are_their_equations():
    eraser = PFRNet(n_dependent=2, n_hidden=16, n_moments=3, separation_weight=0.5, **STILL)
    found, X, draws = record_of(eraser), noise()[0], generator()
    scale = float(X.var(axis=0).mean()) ** -0.5
    keep = Encoder(6, 16, 4, scale=scale, normalise=True, generator=draws)
    drop = perceptron((6, 256, 128, 64, 2), draws)
    rebuild = perceptron((4 + 2, 16, 6), draws)
    with torch.no_grad():
        rows = torch.from_numpy(X) * scale
        kept, dropped = 2 * keep(torch.from_numpy(X)), drop(rows)
        error = (rebuild(torch.cat([kept, dropped], dim=1)) - rows).square().mean()
        gaps = moment_gaps(kept, hidden_classes(), 3).square()
        apart = torch.exp(-moment_gaps(dropped, hidden_classes(), 3).square())
    # Means over pairs of classes and features; moments add up.
    gap, separation = (sum(of[:, m].mean() for m in range(3)) for of in (gaps, apart))
    assert found["reconstruction"] == pytest.approx(error.item(), rel=1e-4)
    assert found["gap"] == pytest.approx(gap.item(), rel=1e-4)
    assert found["separation"] == pytest.approx(separation.item(), rel=1e-4)
    assert found["loss"] == pytest.approx((error + 10 * gap + 0.5 * separation).item(), rel=1e-4)


def test_what_pfrnet_throws_away_learns_to_tell_the_classes_apart():
    X, _, sensitive = noise()
    how = STILL | {"n_epochs": 40, "learning_rate": 1e-2}
    eraser = PFRNet(n_dependent=2, n_hidden=16, separation_weight=100.0, **how)
    curve = eraser.fit(X, sensitive=sensitive).model_.curve
    assert len(curve) == 40
    assert curve[-1]["separation"] < 0.8 * curve[0]["separation"]


@pytest.mark.parametrize("method", [FaRM, KRaM])
def test_rates_are_means_over_attributes_and_their_crossing(method):
    found, X = record_of(method(n_hidden=12, distortion=0.3, **STILL)), torch.from_numpy(noise()[0])
    unit, groups = normalize(X, dim=1), hidden_classes()
    assert len(groups) == 3
    encoder = Encoder(6, 12, 6, scale=1.0, normalise=True, generator=generator())
    Z = encoder(X).detach()
    rate = coding_rate(Z, 0.3).item()
    if method is FaRM:
        within = np.mean([mean_class_rate(Z, group, 0.3).item() for group in groups])
        expected = {"rate": rate, "class_rate": within, "loss": -rate - within}
    else:
        within = np.mean([kernel_rate(Z, group, 0.3).item() for group in groups])
        constraint = abs(rate - coding_rate(unit, 0.3).item())
        expected = {"kernel_rate": within, "loss": constraint - within}
        # An isometry has the rate of the unit rows before it.
        assert found["constraint"] == pytest.approx(0, abs=1e-4)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-3), name


def test_the_constraint_of_kram_holds_from_both_sides():
    # Rows on a line have less room than any encoder's output of a few steps.
    X, _, sensitive = noise()
    for rows in (X, np.outer(np.sign(X[:, 0]), X[0])):
        how = STILL | {"n_epochs": 5, "learning_rate": 1e-2}
        curve = KRaM(n_hidden=4, **how).fit(rows, sensitive=sensitive).model_.curve
        assert all(record["constraint"] >= 0 for record in curve)


@pytest.mark.parametrize("method", [FaRM, KRaM])
def test_the_length_of_all_rows_does_not_matter(method):
    X, _, sensitive = noise()
    how = STILL | {"n_epochs": 5, "learning_rate": 1e-2}
    once, longer = (
        method(n_hidden=12, **how).fit(k * X, sensitive=sensitive).transform(k * X) for k in (1, 64)
    )
    np.testing.assert_allclose(once, longer, atol=1e-4)


class TestDataDomain:
    def test_the_loss_is_the_weighted_sum_of_its_terms(self):
        X, y, sensitive = noise()
        weights = {"hsic_weight": 2.0, "residual_weight": 3.0, "primary_weight": 4.0}
        how = STILL | {"n_epochs": 4, "learning_rate": 1e-2}
        eraser = DataDomain(n_fourier=30, n_hidden=16, **weights, **how)
        for record in eraser.fit(X, y, sensitive=sensitive).model_.curve[1:]:
            of_fair, of_rest = record["dependence"], record["residual_dependence"]
            expected = record["residual"] + 2 * of_fair - 3 * of_rest + 4 * record["primary"]
            assert record["loss"] == pytest.approx(expected, rel=1e-4)
            assert min(of_rest, record["primary"]) > 0
            assert of_rest != pytest.approx(of_fair)

    def test_at_first_all_dependence_is_in_the_fair_part(self):
        found = record_of(DataDomain(n_fourier=30, n_hidden=12, **STILL))
        assert found["dependence"] == pytest.approx(1, abs=1e-3)
        assert found["residual_dependence"] == pytest.approx(0, abs=1e-3)

    def test_the_residual_is_a_mean_squared_length(self):
        X = normalize(torch.from_numpy(noise()[0]), dim=1)
        narrow = identity_encoder(6, 4, generator())
        expected = (X - narrow(X)).square().sum(1).mean().item()
        found = record_of(DataDomain(n_fourier=30, n_hidden=4, **STILL))
        assert found["residual"] == pytest.approx(expected, rel=1e-4)

    def test_the_margin_is_the_one_asked_for(self):
        # Squared distances of unit rows are at most four: every triplet has a loss.
        y = noise()[1]
        losses = [
            record_of(DataDomain(n_fourier=30, n_hidden=12, margin=margin, **STILL), y)["primary"]
            for margin in (4.5, 5.5)
        ]
        assert losses[1] - losses[0] == pytest.approx(1, rel=1e-4)

    def test_the_bandwidth_is_the_median_distance_of_unit_rows(self, monkeypatch):
        widths, draw = [], decomposition.draw_kernel

        def drawn(n_in, n_out, bandwidth, generator):
            widths.append(bandwidth)
            return draw(n_in, n_out, bandwidth, generator)

        monkeypatch.setattr(decomposition, "draw_kernel", drawn)
        record_of(DataDomain(n_fourier=30, n_hidden=12, **STILL))
        unit = normalize(torch.from_numpy(noise()[0]), dim=1)
        assert widths == [pytest.approx(median_distance(unit))]


class TestObliviator:
    how = STILL | {"n_iterations": 1, "n_fourier": 40, "n_hidden": 12, "tolerance": 0.0}

    def kept(self, y=None, **weights):
        return record_of(Obliviator(**self.how | weights), y)["kept"]

    def test_the_first_encoder_is_weighed_by_the_start_alone(self):
        once = self.kept(start_weight=0.1, previous_weight=0.1)
        assert self.kept(start_weight=0.3, previous_weight=0.7) == pytest.approx(3 * once, rel=1e-4)

    def test_the_target_has_a_weight_of_its_own(self):
        y = noise()[1] % 3
        once, twice = (
            self.kept(y, start_weight=0.0, previous_weight=0.0, target_weight=weight)
            for weight in (0.2, 0.4)
        )
        assert 0 < once == pytest.approx(twice / 2, rel=1e-4)

    def test_what_is_to_be_kept_is_kept_the_better_the_larger_its_weight(self):
        how = {"n_epochs": 30, "learning_rate": 1e-2}
        weak, strong = (self.kept(start_weight=w, **how) / w for w in (0.01, 10.0))
        assert strong > 1.1 * weak

    def test_dependence_on_attributes_adds_up_in_squares(self):
        features, groups = torch.randn(90, 5, generator=generator()), hidden_classes()
        squares = [
            class_covariance(features, g.codes, g.n_classes).square().sum().item() for g in groups
        ]
        found = oblivious_steps._dependence_on_classes(features, groups).item()
        assert found == pytest.approx(sum(squares) ** 0.5, rel=1e-5)

    def test_the_scale_of_a_feature_does_not_matter(self):
        X, _, sensitive = noise()
        scales = np.array([1, 2, 4, 8, 16, 32], dtype=np.float32)
        once, scaled = (
            Obliviator(**self.how | {"n_iterations": 0})
            .fit(k * X, sensitive=sensitive)
            .transform(k * X)
            for k in (1, scales)
        )
        np.testing.assert_allclose(once, scaled, atol=1e-4)

    @pytest.mark.parametrize(
        ("floor", "widths"), [(1.5, [2, 2, 2, 3, 2]), (2.5, [2.5] * 3 + [3, 2.5])]
    )
    def test_kernels_are_as_wide_as_the_median_and_wider_while_training(
        self, floor, widths, monkeypatch
    ):
        found, draw = [], oblivious_steps.draw_kernel

        def drawn(n_in, n_out, bandwidth, generator):
            found.append(bandwidth)
            return draw(n_in, n_out, bandwidth, generator)

        monkeypatch.setattr(oblivious_steps, "draw_kernel", drawn)
        monkeypatch.setattr(oblivious_steps, "median_distance", lambda X: 2.0)
        record_of(Obliviator(min_bandwidth=floor, **self.how))
        # The first projection, start, previous, the encoder, its projection.
        assert found == widths

    def test_each_projection_keeps_what_is_weighed_for_it(self, monkeypatch):
        weights, project = [], oblivious_steps.null_projection

        def projection(source, hidden, kept, **how):
            weights.append([one.weight for one in kept])
            return project(source, hidden, kept, **how)

        monkeypatch.setattr(oblivious_steps, "null_projection", projection)
        record_of(Obliviator(**self.how | {"n_iterations": 2}), noise()[1])
        # The rows themselves and the target; then the last rows; then start, last and target.
        assert weights == [[1.0, 2.0], [1.0, 2.0], [0.2, 1.0, 2.0]]

    def test_an_encoder_learns_on_the_rows_that_it_will_be_given(self, monkeypatch):
        seen, train = [], oblivious_steps._Steps.train

        def trained(self, X, views):
            seen.append(X)
            return train(self, X, views)

        monkeypatch.setattr(oblivious_steps._Steps, "train", trained)
        X, _, sensitive = noise()
        model = Obliviator(**self.how | {"n_iterations": 2}).fit(X, sensitive=sensitive).model_
        for given, n_parts in zip(seen, (2, 4), strict=True):
            before = Chain(model.map.parts[:n_parts])(X)
            np.testing.assert_allclose(given.numpy(), before, atol=1e-5)

    def test_encoders_are_held_back_by_weight_decay(self, monkeypatch):
        made, adam = [], torch.optim.AdamW

        def optimiser(parameters, **how):
            made.append(how)
            return adam(parameters, **how)

        monkeypatch.setattr(torch.optim, "AdamW", optimiser)
        record_of(Obliviator(**self.how))
        assert made == [{"lr": 1e-12, "weight_decay": 1e-3}]
