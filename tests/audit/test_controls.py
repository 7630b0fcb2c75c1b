import numpy as np

from sensitivenets.audit.attack import run_trial
from sensitivenets.audit.attackers.catalogue import control_attackers
from sensitivenets.audit.metrics import TrueLabels, balanced_accuracy, strongest_of
from sensitivenets.audit.preparations import prepare
from sensitivenets.audit.splits import Split, split_by_identity
from sensitivenets.audit.tasks import ClassTask, NumberTask
from sensitivenets.embeddings import encode


def leaky(seed, n_identities=300, images=2):
    """Identities with two images each; the label is easy to read."""
    rng = np.random.default_rng(seed)
    y = np.repeat(rng.integers(2, size=n_identities), images)
    identity = np.repeat(rng.standard_normal((n_identities, 8)), images, axis=0)
    X = identity + 0.2 * rng.standard_normal(identity.shape)
    X[:, 0] += 3 * y
    return X.astype(np.float32), y, encode("subject", np.repeat(np.arange(n_identities), images))


def shuffled_battery(seed):
    X, y, groups = leaky(seed)
    split = split_by_identity(groups, 0.4, seed)
    order = np.concatenate([split.train, split.test])
    identities = split.identities(len(y))[order]
    task = ClassTask.make(encode("label", y), split, seed)
    task = task.shuffled(identities, seed)
    prepared = prepare(X[order], len(split.train))
    trials = [
        run_trial(attacker, name, rows, task, seed)
        for attacker in control_attackers()
        for name, rows in attacker.views(prepared).items()
    ]
    test = TrueLabels.make(task.y[task.test], 2, identities[task.test], seed)
    return test, np.stack([trial.predictions for trial in trials], axis=1)


def test_shuffled_labels_stay_at_chance_in_every_cell_of_twenty_seeds():
    cells, above = [], 0
    for seed in range(20):
        test, predictions = shuffled_battery(seed)
        cells.append([balanced_accuracy(test.y, column) for column in predictions.T])
        best = strongest_of(test, predictions)
        above += best.value > best.noise_bound
    cells = np.array(cells)
    # 120 test identities: one cell has a deviation of at most sqrt(0.25 / 120); of 140 cells the
    # largest stays within 4 of them (Bonferroni at 1 %).
    assert cells.shape == (20, 7)
    assert np.abs(cells - 0.5).max() < 4 * np.sqrt(0.25 / 120)
    assert abs(cells.mean() - 0.5) < 0.02
    assert above <= 2  # of 20 at 1 %: three happen once in a thousand


def test_the_same_attackers_read_the_true_labels():
    X, y, groups = leaky(0)
    split = split_by_identity(groups, 0.4, 0)
    order = np.concatenate([split.train, split.test])
    task = ClassTask.make(encode("label", y), split, 0)
    prepared = prepare(X[order], len(split.train))
    for attacker in control_attackers():
        name, rows = next(iter(attacker.views(prepared).items()))
        trial = run_trial(attacker, name, rows, task, 0)
        assert balanced_accuracy(task.y[task.test], trial.predictions) > 0.7


def test_shuffling_keeps_the_labels_of_an_identity_together():
    _, y, groups = leaky(1)
    split = split_by_identity(groups, 0.4, 1)
    identities = split.identities(len(y))[np.concatenate([split.train, split.test])]
    task = ClassTask.make(encode("label", y), split, 1)
    shuffled = task.shuffled(identities, 1)
    assert sorted(shuffled.y) == sorted(task.y)
    for identity in np.unique(identities):
        assert len(set(shuffled.y[identities == identity])) == 1
    assert 0.35 < np.mean(shuffled.y == task.y) < 0.65


def test_labels_that_differ_within_an_identity_are_shuffled_by_row():
    smiling = np.arange(600) % 2
    groups = encode("subject", np.repeat(np.arange(300), 2))
    split = split_by_identity(groups, 0.4, 1)
    task = ClassTask.make(encode("smiling", smiling), split, 1)
    shuffled = task.shuffled(split.identities(600), 1)
    assert sorted(shuffled.y) == sorted(task.y)
    assert 0.35 < np.mean(shuffled.y == task.y) < 0.65


def test_values_are_shuffled_by_row_and_unknown_ones_stay_unknown():
    values = np.arange(100.0)
    values[::7] = np.nan
    split = Split(np.arange(60), np.arange(60, 100))
    task = NumberTask.make("age", values, split, 0)
    shuffled = task.shuffled(np.arange(100), 1)
    np.testing.assert_array_equal(np.isnan(shuffled.y), np.isnan(values))
    np.testing.assert_array_equal(np.sort(shuffled.y), np.sort(values))
    assert np.mean(shuffled.y == values) < 0.2
