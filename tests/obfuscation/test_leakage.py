"""Stale and adapted attackers are told apart."""

import numpy as np
import pytest

from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError

torch = pytest.importorskip("torch")

from sensitivenets.obfuscation.leakage import Sides, read_from_embeddings, read_from_pixels  # noqa: E402
from sensitivenets.obfuscation.networks import PixelClassifier, Reader  # noqa: E402

N, N_TRAIN = 300, 200


def sides(n=N, n_train=N_TRAIN):
    labels = encode("gender", ["Female", "Male"] * (n // 2))
    return Sides(labels, encode("subject", [f"s{k}" for k in range(n)]), n_train)


def embeddings():
    """One feature says the gender, seven say nothing."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(N, 8)).astype(np.float32)
    rows[:, 0] = 4 * sides().labels.codes - 2 + 0.3 * rng.normal(size=N)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_an_obfuscation_that_flips_deceives_stale_attackers_and_nobody_else():
    before = embeddings()
    after = before * np.array([-1, 1, 1, 1, 1, 1, 1, 1], dtype=np.float32)
    stale = read_from_embeddings(before[:N_TRAIN], after[N_TRAIN:], sides())
    adapted = read_from_embeddings(after[:N_TRAIN], after[N_TRAIN:], sides())
    assert set(stale) == set(adapted) == {"NN", "SVM", "RF", "voting ensemble"}
    assert max(value.value for value in stale.values()) < 0.1
    assert min(value.value for value in adapted.values()) > 0.9
    assert all(value.n == N - N_TRAIN for value in adapted.values())


def test_the_embeddings_must_be_those_of_the_labels():
    rows = embeddings()
    with pytest.raises(InputError, match="expected 200 rows to train and 100 to test, found 150"):
        read_from_embeddings(rows[:150], rows[150:], sides())


class Redness(PixelClassifier):
    """Says Male where a face is red."""

    def scores(self, pixels):
        red = (pixels[:, 0, 0, 0] > 127).astype(np.float32)
        return np.stack([1 - red, red], axis=1)


def test_balanced_accuracy_of_a_classifier_on_pixels():
    # 20 women, 20 men; it errs on 5 of the women and none of the men: (0.75 + 1) / 2.
    known = sides(50, 10)
    faces = np.zeros((40, 16, 16, 3), np.uint8)
    codes = known.labels.codes[10:]
    faces[codes == 1] = 255
    faces[np.flatnonzero(codes == 0)[:5]] = 255
    found = read_from_pixels(Redness(Reader(4), 2), faces, known)
    assert found.value == pytest.approx(0.875)
    assert found.low < 0.875 < found.high
    assert found.n == 40


def test_the_faces_must_be_those_of_the_labels():
    with pytest.raises(InputError, match="expected 40 faces to test, found 3"):
        read_from_pixels(Redness(Reader(4), 2), np.zeros((3, 16, 16, 3), np.uint8), sides(50, 10))


@pytest.mark.parametrize("n_train", [0, 50])
def test_both_sides_need_rows(n_train):
    with pytest.raises(InputError, match="some to train and some to test"):
        sides(50, n_train)


def test_every_row_needs_a_label():
    with pytest.raises(InputError, match="gender: expected a label on every row"):
        Sides(encode("gender", ["Male", None]), encode("subject", ["a", "b"]), 1)
