import numpy as np
import pytest

from sensitivenets.audit.splits import Split
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import encode


@pytest.fixture(scope="session")
def blobs():
    """Rows of `k` Gaussian classes, each moved along its own feature, and their codes."""

    def make(n, k, d=5, seed=0, gap=1.5):
        rng = np.random.default_rng(seed)
        y = rng.integers(k, size=n)
        return rng.standard_normal((n, d)) + gap * np.eye(k, d)[y], y

    return make


@pytest.fixture(scope="session")
def task_of():
    """The task of reading `y`, its first rows for training, every row its own identity."""

    def make(y, n_train):
        split = Split(np.arange(n_train), np.arange(n_train, len(y)))
        return ClassTask.make(encode("label", y), split, 0)

    return make


@pytest.fixture(scope="session")
def people():
    """Make 200 identities with two unit rows each; gender and group shift four features."""

    def make(n_people=200):
        rng = np.random.default_rng(0)
        gender, group = (np.repeat(rng.integers(k, size=n_people), 2) for k in (2, 3))
        n = 2 * n_people
        rows = np.repeat(rng.standard_normal((n_people, 8)), 2, axis=0)
        rows += 0.3 * rng.standard_normal((n, 8))
        rows[:, 0] += 6 * gender - 3
        rows[np.arange(n), 1 + group] += 3
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        subject = encode("subject", np.repeat(np.arange(n_people), 2))
        labels = {"gender": encode("gender", gender), "group": encode("group", group)}
        return rows.astype(np.float32), labels, subject

    return make
