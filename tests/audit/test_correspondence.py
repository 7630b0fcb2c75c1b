"""The control before all others: row i of one table is row i of the other."""

import numpy as np
import pytest

from sensitivenets.audit.correspondence import corresponding_rows, made_by_map
from sensitivenets.errors import InputError

N, D = 400, 32


def faces(seed=0, rows=2):
    """People with some rows each, one after the other, as tables often are."""
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(N // rows, D))
    return np.repeat(people, rows, axis=0) + 0.7 * rng.normal(size=(N, D))


def erased(X, seed):
    """All but three directions, turned."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.normal(size=(D, D)))[0]
    return (X @ turn)[:, 3:]


def coded(X, seed):
    return np.sign(X @ np.random.default_rng(seed).normal(size=(D, 64)))


def blurred(X, seed):
    """As much noise as signal."""
    return X + 1.3 * np.random.default_rng(seed).normal(size=X.shape)


MAPS = {"eraser": erased, "code": coded, "strong": blurred}


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("seed", range(7))
def test_a_right_table_is_never_refused_and_a_shuffled_one_always(kind, seed):
    X = faces(seed)
    after = MAPS[kind](X, seed)
    right = corresponding_rows(X, after, seed)
    assert right.holds, right.reason
    assert right.found > 2 * right.by_chance
    order = np.random.default_rng(100 + seed).permutation(N)
    wrong = corresponding_rows(X, after[order], seed)
    assert not wrong.holds
    assert "do not correspond" in wrong.reason


@pytest.mark.parametrize("kind", MAPS)
def test_rows_that_are_off_by_one_are_told_though_people_lie_side_by_side(kind):
    X = faces(rows=8)
    found = corresponding_rows(X, np.roll(MAPS[kind](X, 0), 1, axis=0))
    assert not found.holds
    assert "rows of the second table correspond to those of the first 1 above" in found.reason
    assert "1 below" in corresponding_rows(X, np.roll(MAPS[kind](X, 0), -1, axis=0)).reason


@pytest.mark.parametrize("kind", ["eraser", "code"])
def test_a_part_in_another_order_is_found(kind):
    X = faces()
    after = MAPS[kind](X, 0)
    after[-80:] = after[-80:][np.random.default_rng(1).permutation(80)]
    found = corresponding_rows(X, after)
    assert not found.holds
    assert "though others do" in found.reason


def test_rows_that_say_nothing_of_the_first_table_do_not_correspond():
    noise = np.random.default_rng(1).normal(size=(N, D))
    assert not corresponding_rows(faces(), noise).holds


def test_a_constant_table_has_no_order():
    assert corresponding_rows(faces(), np.ones((N, 3))).holds


def test_many_rows_are_sampled(monkeypatch):
    monkeypatch.setattr("sensitivenets.audit.correspondence._COMPARED_ROWS", 600)
    X = np.random.default_rng(0).normal(size=(3200, 4))
    assert corresponding_rows(X, X[:, ::-1]).holds
    assert not corresponding_rows(X, X[::-1]).holds


def test_the_map_settles_it_where_it_is_known():
    X = faces()
    after = erased(X, 0)
    rounded = np.round(after, 5)
    assert made_by_map(after, rounded).found == 1
    rerouted = rounded.copy()
    rerouted[:20] += 1
    assert made_by_map(after, rerouted).holds
    shuffled = made_by_map(after, rounded[::-1])
    assert not shuffled.holds
    assert "100 % of the rows differ" in shuffled.reason
    with pytest.raises(InputError, match="expected one that makes rows of 5 features"):
        made_by_map(after, rounded[:, :5])
