import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.datasets import synthetic, synthetic_diveface
from sensitivenets.embeddings import read_table, write_table
from sensitivenets.embeddings.labels import joint
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def default():
    return synthetic_diveface()


def linear_reader():
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))


def kernel_reader():
    return make_pipeline(StandardScaler(), SVC(C=3.0))


def balanced_accuracy(table, attribute, classifier):
    train, test = table.where("split", "attack_train"), table.where("split", "attack_test")
    classifier.fit(train.vectors, train.labels(attribute).codes)
    predicted = classifier.predict(test.vectors)
    return balanced_accuracy_score(test.labels(attribute).codes, predicted)


def verification_accuracy(table, n_pairs=6000):
    """Ten-fold accuracy on random pairs, the threshold of each fold chosen on the other nine."""
    rng = np.random.default_rng(0)
    subject = table.labels("subject").codes
    n, images = len(table), np.bincount(subject)[0]
    left = rng.integers(n, size=n_pairs)
    same = np.arange(n_pairs) % 2 == 0
    mate = left // images * images + (left + rng.integers(1, images, size=n_pairs)) % images
    right = np.where(same, mate, rng.integers(n, size=n_pairs))
    same = subject[left] == subject[right]
    scores = np.einsum("ij,ij->i", table.vectors[left], table.vectors[right])
    fold = np.arange(n_pairs) // 2 % 10
    accuracies = []
    for k in range(10):
        ours = fold == k
        thresholds = np.quantile(scores[~ours], np.linspace(0, 1, 501))
        right_calls = [np.mean((scores[~ours] > t) == same[~ours]) for t in thresholds]
        threshold = thresholds[np.argmax(right_calls)]
        accuracies.append(np.mean((scores[ours] > threshold) == same[ours]))
    return np.mean(accuracies)


def test_identities_are_verified_about_98_percent_of_the_time(default):
    assert 0.97 < verification_accuracy(default) < 0.99


@pytest.mark.parametrize(
    ("attribute", "linear", "kernel"),
    [("gender", (0.74, 0.82), (0.85, 0.91)), ("ethnicity", (0.72, 0.79), (0.83, 0.89))],
)
def test_a_kernel_machine_reads_clearly_more_than_a_linear_model(
    default, attribute, linear, kernel
):
    linear_reads = balanced_accuracy(default, attribute, linear_reader())
    kernel_reads = balanced_accuracy(default, attribute, kernel_reader())
    assert linear[0] < linear_reads < linear[1]
    assert kernel[0] < kernel_reads < kernel[1]
    assert kernel_reads - linear_reads > 0.06


def test_without_offsets_a_linear_model_reads_nothing_and_a_kernel_machine_much(monkeypatch):
    monkeypatch.setattr(synthetic, "_GENDER_OFFSET", 0.0)
    table = synthetic_diveface()
    assert abs(balanced_accuracy(table, "gender", linear_reader()) - 0.5) < 0.05
    assert balanced_accuracy(table, "gender", kernel_reader()) > 0.75


def test_without_axes_a_kernel_machine_reads_no_more_than_a_linear_model(monkeypatch):
    monkeypatch.setattr(synthetic, "_AXIS_RATIO", 1.0)
    table = synthetic_diveface()
    linear_reads = balanced_accuracy(table, "gender", linear_reader())
    assert linear_reads > 0.74
    assert balanced_accuracy(table, "gender", kernel_reader()) < linear_reads + 0.02


def test_six_groups_are_balanced_and_attributes_belong_to_the_subject(default):
    six = joint(default.attributes(["gender", "ethnicity"]))
    assert set(six.counts().values()) == {1500}
    assert len(six.classes) == 6
    subject = default.labels("subject").codes
    pairs = set(zip(subject.tolist(), six.codes.tolist(), strict=True))
    assert len(pairs) == len(default.labels("subject").classes) == 3000


def test_splits_share_no_subject_and_are_balanced(default):
    parts = [default.where("split", name) for name in ("fit", "attack_train", "attack_test")]
    subjects = [set(part.labels("subject").classes) for part in parts]
    assert [len(part) for part in subjects] == [1500, 1002, 498]
    assert len(set.union(*subjects)) == 3000
    for part in parts:
        assert len(set(joint(part.attributes(["gender", "ethnicity"])).counts().values())) == 1


@pytest.mark.parametrize(("n_subjects", "images", "dim"), [(18, 1, 32), (37, 5, 64), (6, 2, 200)])
def test_any_size(n_subjects, images, dim):
    table = synthetic_diveface(n_subjects, images, dim=dim)
    assert table.vectors.shape == (n_subjects * images, dim)
    assert table.vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(table.vectors, axis=1), 1, rtol=1e-6)
    counts = joint(table.attributes(["gender", "ethnicity"])).counts().values()
    assert max(counts) - min(counts) <= images


def test_eighteen_subjects_are_enough_for_all_splits():
    assert len(synthetic_diveface(18, 1).labels("split").classes) == 3


def test_the_seed_decides_everything(default):
    again, other = synthetic_diveface(), synthetic_diveface(random_state=1)
    np.testing.assert_array_equal(default.vectors, again.vectors)
    assert default.columns.equals(again.columns)
    assert np.abs(default.vectors - other.vectors).max() > 0.1


def test_it_survives_parquet(tmp_path):
    table = synthetic_diveface(12)
    write_table(table, tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet")
    np.testing.assert_array_equal(read.vectors, table.vectors)
    assert read.columns.equals(table.columns)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_subjects": 5}, "n_subjects: expected at least 6, found 5"),
        ({"images_per_subject": 0}, "images_per_subject: expected at least 1, found 0"),
        ({"dim": 16}, "dim: expected at least 32, found 16"),
    ],
)
def test_sizes_that_make_no_sense(sizes, message):
    with pytest.raises(InputError, match=message):
        synthetic_diveface(**sizes)
