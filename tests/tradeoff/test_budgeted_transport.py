import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings import encode
from sensitivenets.erasers.base import FitData
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import BudgetWarning, InputError
from sensitivenets.maps.affine import LowRankEdit
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.tradeoff import BudgetedTransport, Candidate, TradeOffPoint
from sensitivenets.tradeoff import measure as trade_off
from sensitivenets.tradeoff.budgeted_transport import _hold_out
from sensitivenets.tradeoff.measure import choose, measure_point

TABLE = synthetic_diveface(n_subjects=400, images_per_subject=3, dim=32, random_state=0)
SUBJECT = TABLE.column("subject")
SENSITIVE = {"gender": TABLE.column("gender")}
FEW = (Candidate(1), Candidate(2), Candidate(1, 64, 1.5))


def point(candidate, excess):
    return TradeOffPoint(candidate, 0.0, {"gender": 0.5 + excess / 2}, excess)


MEASURED = [
    (point(None, 0.8), 0.95),
    (point(Candidate(1), 0.4), 0.94),
    (point(Candidate(2), 0.5), 0.93),
    (point(Candidate(3), 0.1), 0.90),
]


@pytest.mark.parametrize(
    ("budget", "chosen"), [(0.0, None), (0.01, 1), (0.049, 1), (0.05, 3), (1.0, 3)]
)
def test_the_least_excess_within_the_budget_is_taken(budget, chosen):
    taken = choose(MEASURED, budget).chosen.candidate
    assert (taken and taken.n_rounds) == chosen


def test_what_another_beats_in_both_is_not_on_the_front():
    points = choose(MEASURED, 0.0).points
    assert [p.on_front for p in points] == [True, True, False, True]
    assert [p.loss for p in points] == pytest.approx([0.0, 0.01, 0.02, 0.05])


def test_a_larger_budget_never_leaks_more():
    excess = [choose(MEASURED, budget).chosen.excess for budget in np.linspace(0, 0.1, 21)]
    assert excess == sorted(excess, reverse=True)


@pytest.fixture(scope="module")
def fitted():
    eraser = BudgetedTransport(0.2, candidates=FEW, n_pairs=400, random_state=0)
    return eraser.fit(TABLE.vectors, SUBJECT, sensitive=SENSITIVE)


def test_the_chosen_candidate_is_within_the_budget_and_leaks_less(fitted):
    trade_off = fitted.trade_off_
    assert len(trade_off.points) == len(FEW) + 1
    unchanged = next(p for p in trade_off.points if p.candidate is None)
    assert trade_off.chosen.loss <= 0.2
    assert trade_off.chosen.excess < unchanged.excess - 0.1


def test_the_model_folder_keeps_the_whole_front(fitted, tmp_path):
    save_model(fitted.model_, tmp_path / "model")
    model = load_model(tmp_path / "model")
    np.testing.assert_array_equal(model.map(TABLE.vectors), fitted.transform(TABLE.vectors))
    curve = json.loads(json.dumps(model.curve))
    assert [line["name"] for line in curve if line["chosen"]] == [fitted.trade_off_.chosen.name]
    assert {"unchanged", "1 round", "2 rounds", "1 round, 64 bits at scale 1.5"} == {
        line["name"] for line in curve
    }


def test_attributes_may_come_from_another_set(fitted):
    other = synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=1)
    eraser = BudgetedTransport(0.5, candidates=[Candidate(1)], n_pairs=400, random_state=0)
    eraser.fit(TABLE.vectors, SUBJECT, detector=(other.vectors, {"gender": other.column("gender")}))
    assert len(eraser.trade_off_.points) == 2


def test_no_budget_changes_nothing_and_says_so():
    eraser = BudgetedTransport(0.0, candidates=[Candidate(1, 8, 3.0)], n_pairs=400, random_state=0)
    with pytest.warns(BudgetWarning, match="no candidate leaks less within 0"):
        eraser.fit(TABLE.vectors, SUBJECT, sensitive=SENSITIVE)
    np.testing.assert_allclose(eraser.transform(TABLE.vectors), TABLE.vectors, atol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"utility_budget": 1.5}, "utility_budget: expected"),
        ({"candidates": []}, "candidates: expected at least one, found none"),
        ({"n_pairs": 0}, "n_pairs: expected"),
    ],
)
def test_impossible_parameters_are_refused(parameters, message):
    with pytest.raises(InputError, match=message):
        BudgetedTransport(**parameters).fit(TABLE.vectors, SUBJECT, sensitive=SENSITIVE)


def fit_data(**changed):
    X = TABLE.vectors
    gender = {"gender": encode("gender", TABLE.column("gender"))}
    return replace(FitData(X, encode("y", SUBJECT), X, gender, 0), **changed)


def rows_of(X):
    """Row numbers in the table."""
    places = {row.tobytes(): k for k, row in enumerate(TABLE.vectors)}
    return np.array([places[row.tobytes()] for row in X])


def test_candidates_learn_from_other_people_than_they_are_measured_on():
    part, held_out = _hold_out(fit_data(), 300, 100)
    people = np.asarray(SUBJECT)
    learned, attacked, verified = (
        people[rows_of(X)] for X in (part.X_sensitive, held_out.X, held_out.faces)
    )
    assert len(learned) + len(verified) == len(people)
    assert not set(learned) & set(verified)
    assert set(attacked) <= set(verified)
    train, test = attacked[held_out.split.train], attacked[held_out.split.test]
    assert len(train) + len(test) == len(attacked) == 100
    assert not set(train) & set(test)
    assert len(held_out.pairs) == 300
    gender = np.asarray(TABLE.column("gender"))
    for X, labels in ((part.X_sensitive, part.attributes), (held_out.X, held_out.attributes)):
        found = labels["gender"]
        assert [found.classes[k] for k in found.codes] == gender[rows_of(X)].tolist()


def test_rows_of_a_set_of_their_own_are_held_out_and_all_faces_verified():
    data = fit_data(X_sensitive=TABLE.vectors.copy())
    part, held_out = _hold_out(data, 400, 10_000)
    assert len(held_out.faces) == len(TABLE.vectors)
    learned, attacked = (set(rows_of(X).tolist()) for X in (part.X_sensitive, held_out.X))
    assert not learned & attacked
    assert len(learned) + len(attacked) == len(TABLE.vectors)


def test_the_chosen_candidate_is_fitted_again_on_everything(fitted):
    taken = fitted.trade_off_.chosen.candidate
    data = fit_data(seed=int(np.random.RandomState(0).randint(2**31)))
    rounds = RoutedTransport(n_rounds=taken.n_rounds)._learn(data).map.parts
    expected = taken.map(rounds, data.X_sensitive, data.seed)
    np.testing.assert_array_equal(fitted.transform(TABLE.vectors), expected(TABLE.vectors))


def test_a_point_is_what_the_audit_reads_and_pairs_lose_after_the_map(monkeypatch):
    _, held_out = _hold_out(fit_data(), 400, 300)
    half = Candidate(1, 64, 2.0).map((LowRankEdit(*_nothing(32)),), TABLE.vectors, 0)

    def audit(X, after, attributes, *, split, random_state, n_jobs):
        assert (after, attributes, split) == (None, held_out.attributes, held_out.split)
        seen.append((X, random_state))
        reads = (("gender", 0.7, 0.5), ("group", 0.5, 1 / 3))
        return SimpleNamespace(
            attributes=[
                SimpleNamespace(name=n, chance=c, strongest=SimpleNamespace(balanced_accuracy=b))
                for n, b, c in reads
            ]
        )

    seen = []
    monkeypatch.setattr(trade_off, "quick_audit", audit)
    point, accuracy = measure_point(Candidate(1), half, held_out, 3)
    np.testing.assert_array_equal(seen[0][0], half(held_out.X))
    assert seen[0][1] == 3
    assert point.leakage == {"gender": 0.7, "group": 0.5}
    assert point.excess == pytest.approx((0.2 / 0.5 + (1 / 6) / (2 / 3)) / 2)
    faces = half(held_out.faces)
    pairs = held_out.pairs
    scores = np.einsum("ij,ij->i", faces[pairs.left], faces[pairs.right])
    same = np.asarray(pairs.same, dtype=bool)
    best = max(
        (np.mean(scores[same] >= t) + np.mean(scores[~same] < t)) / 2 for t in np.unique(scores)
    )
    assert accuracy == pytest.approx(best)
    assert accuracy < measure_point(None, None, held_out, 3)[1]


def _nothing(d):
    none = np.zeros((d, 0), dtype=np.float32)
    return none, none[0], none.T
