"""What follows from the events."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensitivenets.annotation.events import Event, Kind
from sensitivenets.annotation.ledger import UNSURE, Ledger, State

CLASSES = ("Female", "Male")


def replay(*events, n_rows=4):
    ledger = Ledger(n_rows, CLASSES)
    ledger.replay(
        Event(who, kind, row, name, undoes=undoes, seq=k + 1, time=f"t{k}", request=f"r{k}")
        for k, (who, kind, row, name, undoes) in enumerate(events)
    )
    return ledger


def says(who, row, name):
    return (who, Kind.UNSURE if name is None else Kind.LABEL, row, name, None)


def undo(who, row, seq):
    return (who, Kind.UNDO, row, None, seq)


def test_nobody_looked():
    ledger = replay()
    assert (ledger.states == State.UNCHECKED).all()
    assert not ledger.seen.any()


@pytest.mark.parametrize(
    ("events", "code", "state"),
    [
        ([says("anna", 0, "Male")], 1, State.DECIDED),
        ([says("anna", 0, None)], -1, State.UNSURE),
        ([says("anna", 0, "Male"), says("anna", 0, "Female")], 0, State.DECIDED),
        ([says("anna", 0, "Male"), says("ben", 0, "Male")], 1, State.DECIDED),
        ([says("anna", 0, "Male"), says("ben", 0, "Female")], -1, State.DISPUTED),
        ([says("anna", 0, None), says("ben", 0, "Female")], 0, State.DECIDED),
        (
            [
                says("anna", 0, "Male"),
                says("ben", 0, "Female"),
                ("cleo", Kind.ADJUDICATE, 0, "Male", None),
            ],
            1,
            State.DECIDED,
        ),
        (
            [says("anna", 0, "Male"), ("cleo", Kind.ADJUDICATE, 0, None, None)],
            -1,
            State.UNSURE,
        ),
        ([says("anna", 0, "Male"), undo("anna", 0, 1)], -1, State.UNCHECKED),
        (
            [says("anna", 0, "Male"), says("anna", 0, "Female"), undo("anna", 0, 2)],
            1,
            State.DECIDED,
        ),
        (
            [says("anna", 0, "Male"), says("ben", 0, "Female"), undo("ben", 0, 2)],
            1,
            State.DECIDED,
        ),
    ],
)
def test_a_row_is_what_people_last_said(events, code, state):
    ledger = replay(*events)
    assert (ledger.codes[0], ledger.states[0]) == (code, state)
    assert (ledger.states[1:] == State.UNCHECKED).all()


def test_a_verdict_is_no_vote():
    ledger = replay(says("anna", 0, "Male"), ("cleo", Kind.ADJUDICATE, 0, "Female", None))
    assert ledger.votes() == {"anna": {0: 1}}
    assert ledger.settled_by(0) == "cleo"
    assert ledger.settled.tolist() == [True, False, False, False]


def test_events_seen_before_are_passed_over():
    ledger = Ledger(4, CLASSES)
    events = [Event("anna", Kind.LABEL, 1, "Male", seq=k, request=f"r{k}") for k in (1, 2)]
    ledger.replay(events[:1])
    ledger.replay(events)
    assert ledger.n_decisions() == {"anna": 2}


def test_the_last_action_is_all_of_one_request_and_of_one_annotator():
    ledger = Ledger(4, CLASSES)
    ledger.replay([
        Event("anna", Kind.LABEL, 0, "Male", seq=1, request="one"),
        Event("anna", Kind.LABEL, 1, "Male", seq=2, request="sweep"),
        Event("anna", Kind.LABEL, 2, "Male", seq=3, request="sweep"),
        Event("ben", Kind.LABEL, 3, "Male", seq=4, request="other"),
    ])
    assert [event.row for event in ledger.last_action("anna")] == [1, 2]
    ledger.replay([
        Event("anna", Kind.UNDO, row, seq=3 + 2 * row, undoes=row + 1, request="undo")
        for row in (1, 2)
    ])
    assert [event.row for event in ledger.last_action("anna")] == [0]
    assert ledger.last_action("nobody") == []


def test_a_round_is_drawn_from_what_nobody_has_seen():
    ledger = replay(says("anna", 2, "Male"), ("anna", Kind.ROUND, None, None, None))
    assert ledger.population.tolist() == [True, True, False, True]
    assert ledger.rounds == 1


actions = st.lists(
    st.tuples(
        st.sampled_from(["anna", "ben"]),
        st.integers(0, 2),
        st.sampled_from(["Female", "Male", None, "undo"]),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(actions)
def test_the_ledger_is_what_a_naive_list_of_decisions_says(actions):
    ledger, standing = Ledger(3, CLASSES), []
    for k, (who, row, name) in enumerate(actions):
        seq, request = k + 1, f"r{k}"
        if name == "undo":
            mine = [one for one in standing if one[1] == who]
            if not mine:
                continue
            standing.remove(mine[-1])
            taken = ledger.last_action(who)
            assert [event.seq for event in taken] == [mine[-1][0]]
            event = Event(who, Kind.UNDO, mine[-1][2], undoes=mine[-1][0], seq=seq, request=request)
        else:
            standing.append((seq, who, row, name))
            event = Event(who, says(who, row, name)[1], row, name, seq=seq, request=request)
        ledger.replay([event])
    for row in range(3):
        last = {who: name for _, who, of, name in standing if of == row}
        named = {name for name in last.values() if name}
        expected = CLASSES.index(named.pop()) if len(named) == 1 else -1
        assert ledger.codes[row] == expected
        assert ledger.seen[row] == bool(last)
        assert ledger.votes_of(row) == {
            who: UNSURE if name is None else CLASSES.index(name) for who, name in last.items()
        }
    assert np.array_equal(ledger.voted("anna"), [0 in r for r in _rows_of(standing, "anna")])


def _rows_of(standing, who):
    return [
        [0] if any(w == who and of == row for _, w, of, _ in standing) else [] for row in range(3)
    ]
