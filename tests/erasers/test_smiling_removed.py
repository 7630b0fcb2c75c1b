"""A smile removed from faces, gender and people kept: the claim of docs/smiling_removed.md."""

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sensitivenets.embeddings import encode, read_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.verification.identification import identify


def read(vectors, labels, train, test):
    """Balanced accuracy of a machine fitted anew."""
    reader = make_pipeline(StandardScaler(), SVC(class_weight="balanced"))
    reader.fit(vectors[train], labels[train])
    return balanced_accuracy_score(labels[test], reader.predict(vectors[test]))


def what_is_left(X, hidden, kept, subject, parts):
    fit, train, test = parts
    eraser = RoutedTransport(random_state=0).fit(X[fit], sensitive={"smiling": hidden[fit]})
    return {
        name: (
            read(vectors, hidden, train, test),
            read(vectors, kept, train, test),
            identify(vectors[test], encode("subject", subject[test])).rank_1.value,
        )
        for name, vectors in (("before", X), ("after", eraser.transform(X)))
    }


def test_a_smile_goes_and_gender_and_people_stay():
    rng = np.random.default_rng(0)
    subject = np.repeat(np.arange(500), 4)
    gender, smile = (np.arange(500) % 2)[subject], rng.integers(0, 2, 2000)
    X = rng.standard_normal((500, 12))[subject] + 0.4 * rng.standard_normal((2000, 12))
    X[:, 0] += 2 * gender
    X[:, 1] += 2 * smile
    parts = [subject % 3 == k for k in range(3)]
    found = what_is_left(X.astype(np.float32), smile, gender, subject, parts)
    assert found["before"][0] > 0.75
    assert found["after"][0] < 0.6
    assert found["after"][1] > found["before"][1] - 0.05
    assert found["after"][2] > found["before"][2] - 0.05


@pytest.mark.skipif("SENSITIVENETS_DATA" not in os.environ, reason="SENSITIVENETS_DATA is not set")
def test_on_celeba_gender_and_people_stay_while_the_smile_goes():
    table = read_table(Path(os.environ["SENSITIVENETS_DATA"]) / "celeba.parquet")
    smile, gender, subject = (table.labels(name).codes for name in ("smiling", "gender", "subject"))
    parts = [subject % 3 == k for k in range(3)]
    found = what_is_left(table.vectors, smile, gender, subject, parts)
    assert found["after"][0] < found["before"][0] - 0.05
    assert found["after"][1] > found["before"][1] - 0.05
    assert found["after"][2] > found["before"][2] - 0.05
