"""Hide who, keep what: one task and three methods, on people that no map was fitted on."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sensitivenets.embeddings import encode
from sensitivenets.erasers.adversarial.vgan import VGAN
from sensitivenets.erasers.linear.identity_span import IdentitySpan
from sensitivenets.erasers.transport.identity_transport import (
    IdentityTransport,
    cluster_identities,
)
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.verification.identification import identify


class People:
    """200 people of four rows; a smile comes and goes along one direction."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.person = np.repeat(np.arange(200), 4)
        self.smile = rng.integers(0, 2, 800)
        X = rng.standard_normal((200, 16))[self.person] + 0.3 * rng.standard_normal((800, 16))
        X[:, 3] = 0.3 * rng.standard_normal(800) + self.smile
        self.X = X.astype(np.float32)
        self.fit_rows = self.person < 120

    def fit(self, eraser):
        rows = self.fit_rows
        return eraser.fit(
            self.X[rows], self.smile[rows], sensitive={"subject": self.person[rows]}
        ).transform(self.X)

    def rank_1(self, vectors):
        new = ~self.fit_rows
        centred = vectors[new] - vectors[~new].mean(axis=0)
        return identify(centred, encode("subject", self.person[new])).rank_1.value

    def smiles(self, vectors):
        rows = self.fit_rows
        reader = LogisticRegression().fit(vectors[rows], self.smile[rows])
        return reader.score(vectors[~rows], self.smile[~rows])


@pytest.fixture(scope="module")
def people():
    return People()


def test_nothing_but_the_task_is_left_of_all_directions(people):
    assert people.rank_1(people.X) > 0.9
    after = people.fit(IdentitySpan())
    assert np.linalg.matrix_rank(after - after.mean(axis=0), tol=1e-3) == 1
    assert people.rank_1(after) < 0.1
    assert people.smiles(after) > people.smiles(people.X) - 0.02


def test_the_covariance_with_the_task_is_as_it_was(people):
    rows = people.fit_rows
    after = people.fit(IdentitySpan(n_directions=10))
    for y in (people.smile[rows] - people.smile[rows].mean(),):
        before = y @ people.X[rows]
        np.testing.assert_allclose(y @ after[rows], before, atol=2e-3 * np.abs(before).max())


def test_a_model_does_not_name_the_people_it_hides(people, tmp_path):
    eraser = IdentitySpan().fit(
        people.X, people.smile, sensitive={"subject": [f"Ann {k}" for k in people.person]}
    )
    assert eraser.model_.removed == {"subject": ()}
    save_model(eraser.model_, tmp_path / "m")
    for path in (tmp_path / "m").iterdir():
        assert b"Ann" not in path.read_bytes()
    assert "| subject | many, not named |" in (tmp_path / "m" / "README.md").read_text()
    assert load_model(tmp_path / "m").removed == {"subject": ()}


def test_fewer_directions_leave_more_of_the_people(people):
    found = [people.rank_1(people.fit(IdentitySpan(n_directions=k))) for k in (2, 8, 14)]
    assert found[0] > found[1] > found[2]
    curve = IdentitySpan(n_directions=2).fit(
        people.X, people.smile, sensitive={"subject": people.person}
    )
    correlations = [record["correlation"] for record in curve.model_.curve]
    assert correlations == sorted(correlations, reverse=True)
    assert sum(record["removed"] for record in curve.model_.curve) == 2


def test_identities_of_one_row_are_refused(people):
    with pytest.raises(InputError, match="expected at least two identities of two rows each"):
        IdentitySpan().fit(
            people.X[::4], people.smile[::4], sensitive={"subject": people.person[::4]}
        )


def test_all_rows_of_a_person_are_in_one_cluster(people):
    identity = encode("subject", [None, *people.person[1:]])
    clusters = cluster_identities(people.X, identity, 5, seed=0)
    assert clusters.codes[0] == -1
    for k in range(200):
        assert np.unique(clusters.codes[1:][people.person[1:] == k]).size == 1
    assert set(clusters.codes[1:]) == set(range(5))


def test_transport_hides_the_cluster_and_not_the_person(people):
    # Where the page says so: what tells the people of one cluster apart is not moved.
    eraser = IdentityTransport(n_groups=4, n_rounds=3, random_state=0)
    after = people.fit(eraser)
    rows, clusters = (
        people.fit_rows,
        cluster_identities(
            people.X[people.fit_rows], encode("subject", people.person[people.fit_rows]), 4, seed=0
        ),
    )
    before = LogisticRegression(max_iter=500).fit(people.X[rows], clusters.codes)
    hidden = LogisticRegression(max_iter=500).fit(after[rows], clusters.codes)
    assert before.score(people.X[rows], clusters.codes) > 0.9
    assert hidden.score(after[rows], clusters.codes) < 0.6
    assert people.rank_1(after) > 0.5
    assert [record["round"] for record in eraser.model_.curve] == [1, 2, 3]


def test_a_code_behind_the_transport_gives_bits(people):
    after = people.fit(IdentityTransport(n_groups=2, n_rounds=1, n_bits=64, random_state=0))
    assert after.shape == (800, 64)
    np.testing.assert_allclose(np.abs(after), 1 / 8)


@pytest.mark.filterwarnings("ignore::sensitivenets.errors.CollapseWarning")  # one task, one rank
def test_the_variational_encoder_keeps_the_smile_and_hides_most_people(people):
    pytest.importorskip("torch")
    small = {"n_hidden": 64, "n_head_units": 32, "batch_size": 64, "n_epochs": 8}
    eraser = VGAN(n_units=4, learning_rate=0.01, n_head_steps=1, random_state=0, **small)
    after = people.fit(eraser)
    assert after.shape == (800, 4)
    assert people.smiles(after) > people.smiles(people.X) - 0.05
    assert people.rank_1(after) < 0.4
    record = eraser.model_.curve[-1]
    assert set(record) == {"epoch", "task", "divergence", "reconstruction", "confusion"}
    # Heads that know nothing have a confusion of one; less is impossible.
    assert all(record["confusion"] >= 1 for record in eraser.model_.curve)
