import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensitivenets.audit import Split, split_by_column, split_by_identity, split_rows
from sensitivenets.audit.tasks import ClassTask, hold_out
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError


@given(
    st.lists(st.integers(0, 12), min_size=3, max_size=60),
    st.floats(0.05, 0.95),
    st.integers(0, 99),
)
def test_split_by_identity_uses_every_row_once_and_no_identity_twice(ids, share, seed):
    if len(set(ids)) < 2:
        return
    split = split_by_identity(encode("subject", ids), share, seed)
    assert sorted([*split.train, *split.test]) == list(range(len(ids)))
    assert not {ids[row] for row in split.train} & {ids[row] for row in split.test}


def test_the_test_share_counts_identities():
    groups = encode("subject", np.repeat(np.arange(100), 3))
    assert len(split_by_identity(groups, 0.3, 0).test) == 90
    assert len(split_rows(100, 0.2).test) == 20


def test_an_identity_on_both_sides_is_named():
    groups = encode("subject", ["ann", "bob", "bob", "eve"])
    with pytest.raises(InputError, match=r"identity 'bob' \(column 'subject'\) has training and"):
        Split(np.array([0, 1]), np.array([2, 3]), groups)


def test_unlabelled_rows_are_identities_of_their_own():
    groups = encode("subject", ["ann", None, None, "eve"])
    split = Split(np.array([0, 1]), np.array([2, 3]), groups)
    assert len(set(split.identities(4).tolist())) == 4


def test_a_row_on_both_sides_or_an_empty_side_is_refused():
    with pytest.raises(InputError, match="row 1 is among the training and the test rows"):
        Split(np.array([0, 1]), np.array([1, 2]))
    with pytest.raises(InputError, match="expected test rows, found none"):
        Split(np.array([0, 1]), np.array([], dtype=int))


def test_split_by_column_leaves_other_rows_out_and_names_missing_values():
    column = encode("split", ["fit", "attack_train", "attack_test", "attack_train"])
    split = split_by_column(column, "attack_train", "attack_test")
    assert split.train.tolist() == [1, 3]
    assert split.test.tolist() == [2]
    with pytest.raises(InputError, match=r"column 'split': no row has the value 'train'; its"):
        split_by_column(column)


@pytest.mark.parametrize("share", [0.0, 1.0, 7])
def test_a_share_outside_zero_to_one_is_refused(share):
    with pytest.raises(InputError, match=r"test_share: expected a share in \(0, 1\)"):
        split_rows(10, share)


def test_tuning_holds_out_whole_identities_among_the_training_rows():
    identities = np.repeat(np.arange(40), 5)
    train = np.arange(150)
    tune, validate = hold_out(train, identities, 0)
    assert not set(identities[tune]) & set(identities[validate])
    assert set(tune) | set(validate) == set(train)
    assert len(set(identities[validate])) == 8  # a quarter of 30


def test_a_task_leaves_out_unlabelled_rows_and_classes_missing_on_a_side():
    labels = encode("group", ["a", "b", None, "c"] * 10)
    test = np.array([20, 21, 22, 24, 25, 28, 29])  # no row of class c
    task = ClassTask.make(labels, Split(np.arange(20), test), 0)
    assert task.classes == ("a", "b")
    assert task.notes[0] == "classes without training or test rows left out: 'c'"
    order = [*range(20), *test]
    tested = [labels.classes[labels.codes[order[row]]] for row in task.test]
    assert tested == ["a", "b", "a", "b", "a", "b"]
    assert len(task.train) == 10


def test_one_class_on_a_side_is_an_error_that_counts_what_was_found():
    labels = encode("group", ["a"] * 12 + ["b"] * 8)
    with pytest.raises(
        InputError, match=r"found training 'a' \(10\) and test 'a' \(2\), 'b' \(8\)"
    ):
        ClassTask.make(labels, Split(np.arange(10), np.arange(10, 20)), 0)


def test_too_few_identities_to_tune_are_noted():
    labels = encode("group", ["a", "b"] * 5)
    task = ClassTask.make(labels, Split(np.arange(6), np.arange(6, 10)), 0)
    assert len(task.validate) == 0
    assert "too few identities" in task.notes[0]
