"""Synthetic recruitment: fair scores know no group, biased ones do, and faces and texts tell it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sensitivenets.datasets import synthetic_diveface, synthetic_recruitment
from sensitivenets.datasets.recruitment import MERITS, PENALTY
from sensitivenets.errors import InputError


@pytest.fixture(scope="module")
def table():
    return synthetic_recruitment(3000)


def column(table, name):
    return np.array(table.column(name).to_pylist())


def test_merits_and_the_fair_score_are_independent_of_the_groups(table):
    women = column(table, "gender") == "Female"
    for name in (*MERITS, "score"):
        values = column(table, name)
        assert 0 <= values.min() <= values.max() <= 1
        spread = values.std() * 2 / np.sqrt(len(values))
        assert abs(values[women].mean() - values[~women].mean()) < 4 * spread


def test_biased_scores_are_the_fair_one_with_a_penalty(table):
    score = column(table, "score")
    for name, attribute, who in (
        ("score_gender_biased", "gender", "Female"),
        ("score_ethnicity_biased", "ethnicity", "Group 2"),
    ):
        penalised = column(table, attribute) == who
        np.testing.assert_allclose(column(table, name)[penalised], PENALTY * score[penalised])
        np.testing.assert_array_equal(column(table, name)[~penalised], score[~penalised])


def test_faces_show_the_gender_and_blind_texts_hint_at_it(table):
    women = column(table, "gender") == "Female"
    train = column(table, "split") == "train"
    reader = LogisticRegression(max_iter=1000).fit(table.vectors[train], women[train])
    assert reader.score(table.vectors[~train], women[~train]) > 0.7
    assert {bio.split()[0] for bio in table.column("bio").to_pylist()} == {"she", "he"}
    blind = [bio.split() for bio in table.column("bio_blind").to_pylist()]
    assert not {"she", "he", "her", "his"} & {word for words in blind for word in words}
    caring = np.array(["caring" in words for words in blind])
    assert caring[women].mean() > 1.2 * caring[~women].mean()


def test_a_fifth_of_each_group_is_tested_on_and_the_seed_decides_all(table):
    tested = column(table, "split") == "test"
    for who in ("Female", "Male"):
        assert tested[column(table, "gender") == who].mean() == pytest.approx(0.2)
    assert synthetic_recruitment(60).columns.equals(synthetic_recruitment(60).columns)
    other = synthetic_recruitment(60, random_state=1)
    assert not other.columns.equals(synthetic_recruitment(60).columns)


def test_real_faces_go_to_profiles_of_their_group_each_once():
    faces = synthetic_diveface(120, 1, dim=32)
    table = synthetic_recruitment(60, faces=faces)
    rows = [np.flatnonzero((faces.vectors == one).all(axis=1))[0] for one in table.vectors]
    assert len(set(rows)) == 60
    for name in ("gender", "ethnicity"):
        assert (column(faces, name)[rows] == column(table, name)).all()


def test_refusals():
    with pytest.raises(InputError, match="n_profiles: expected an integer of at least 30; found 5"):
        synthetic_recruitment(5)
    with pytest.raises(
        InputError, match=r"expected 10 faces with gender = 'Female' and ethnicity = 'Group 1', fou"
    ):
        synthetic_recruitment(60, faces=synthetic_diveface(30, 1, dim=32))
