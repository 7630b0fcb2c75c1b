import json

import numpy as np
import pytest

from sensitivenets.audit import Split, quick_audit, split_rows, without_look_alikes
from sensitivenets.audit.look_alikes import look_alikes_across
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_training_rows_at_the_cosine_or_nearer_to_any_test_row_are_left_out():
    X = np.array([[1, 0], [0.6, 0.8], [0.5, 0.87], [-1, 0], [2, 0], [0, -3.0]])
    split = Split(np.array([0, 1, 2, 3]), np.array([4, 5]))
    kept = without_look_alikes(split, X, 0.6)
    assert kept.train.tolist() == [2, 3]  # cosines with row 4: 1, 0.6, 0.498, -1
    assert kept.test.tolist() == [4, 5]
    assert without_look_alikes(split, X, 0.99).train.tolist() == [1, 2, 3]


def test_blocks_of_test_rows_make_no_difference(monkeypatch):
    X = np.random.default_rng(0).standard_normal((300, 4)).astype(np.float32)
    split = Split(np.arange(200), np.arange(200, 300))
    whole = without_look_alikes(split, X, 0.95).train
    monkeypatch.setattr("sensitivenets.audit.splits._COMPARED_ROWS", 7)
    assert without_look_alikes(split, X, 0.95).train.tolist() == whole.tolist()
    assert 0 < len(whole) < 200


def test_a_label_that_only_recognition_reads_is_at_chance_without_look_alikes():
    rng = np.random.default_rng(0)
    people = unit(rng.standard_normal((400, 32)))
    rows = np.repeat(people, 2, axis=0) + 0.05 * rng.standard_normal((800, 32))
    coin = np.repeat(rng.integers(2, size=400), 2)  # belongs to the person, not to the looks
    tested = np.arange(401, 800, 2)  # of each of the last 200 people one row, the other trains
    split = Split(np.setdiff1d(np.arange(800), tested), tested)
    labels = {"coin": encode("coin", coin)}

    def read(split):
        result = quick_audit(rows.astype(np.float32), None, labels, split=split, n_jobs=1)
        return result.attributes[0].strongest

    assert read(split).balanced_accuracy > 0.8
    assert not read(without_look_alikes(split, rows, 0.8)).above_chance


@pytest.mark.parametrize("cosine", [-1, 1.5, float("nan"), "near"])
def test_a_cosine_out_of_range_is_refused(cosine):
    split = Split(np.array([0]), np.array([1]))
    with pytest.raises(InputError, match="cosine: expected a number above -1 and at most 1; found"):
        without_look_alikes(split, np.eye(2), cosine)


def test_no_training_row_left_is_refused():
    split = Split(np.array([0, 1]), np.array([2]))
    with pytest.raises(
        InputError, match=r"found none: the nearest row of each is at 1\.00 or more"
    ):
        without_look_alikes(split, np.ones((3, 2)), 0.5)


def test_audit_command_leaves_them_out_and_says_so(run, tmp_path):
    code, printed, _ = run(
        *("audit", "table.parquet", "--quick", "--attribute", "gender", "--n-jobs", "1"),
        *("--apart", "0.8", "--out", tmp_path / "report", "--json"),
    )
    assert code == 3, "so few rows leave a wide interval"
    audit = json.loads(printed)
    note = next(note for note in audit["notes"] if "training rows left out" in note)
    left_out, of = int(note.split()[0]), int(note.split()[2])
    assert 0 < left_out < of
    assert audit["split"]["n_train"] == of - left_out


def test_audit_command_names_the_option(run, tmp_path):
    code, _, error = run(
        *("audit", "table.parquet", "--quick", "--attribute", "gender"),
        *("--apart", "2", "--out", tmp_path / "report"),
    )
    assert code == 2
    assert "apart: cosine: expected a number above -1 and at most 1; found 2" in error


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_the_same_person_on_both_sides_is_warned_of_without_identities(shift):
    rng = np.random.default_rng(0)
    people = rng.normal(size=(500, 32)) + shift
    twice = np.vstack([people, people + 0.2 * rng.normal(size=people.shape)])
    split = split_rows(len(twice), seed=0)
    found = look_alikes_across(split, twice)
    assert "probably the same person" in found
    assert 60 < int(found.split(" %")[0]) < 80  # of 70 %, and themselves not


@pytest.mark.parametrize("seed", range(20))
def test_different_people_are_not_warned_of(seed):
    rng = np.random.default_rng(seed)
    groups = 2.0 * rng.normal(size=(6, 32))[rng.integers(6, size=800)]
    assert look_alikes_across(split_rows(800, seed=seed), rng.normal(size=(800, 32)) + groups) == ""
