"""Held rows and new rows are attacked apart, and rows that do not correspond measure nothing."""

import dataclasses
import json

import numpy as np
import pyarrow as pa
import pytest

import sensitivenets
from sensitivenets.audit import split_by_column, split_by_identity
from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings.fingerprint import fingerprint
from sensitivenets.errors import DataWarning, InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.made_by import makers_of, signed
from sensitivenets.maps.projection import Projection
from sensitivenets.report import AuditRecord, from_json, to_json
from sensitivenets.report.collusion import read_versions
from sensitivenets.report.inputs import read_inputs
from sensitivenets.report.rows import correspondence_of, part_populations

QUICK = {"attributes": "gender", "quick": True, "n_jobs": 1}


@pytest.fixture(scope="module")
def table():
    return synthetic_diveface(60)


def made(table, rows, name="primary"):
    """Return a table that says that a model, fitted on some rows, made it."""
    turn = Projection(np.eye(table.dim, dtype=np.float32)[:, ::-1].copy())
    known = Model(turn, "M", {}, {"gender": ("Female", "Male")}, {name: fingerprint(rows)})
    return signed(table.with_vectors(table.vectors[:, ::-1].copy()), known)


def populations(table, after, split=None):
    split = split or split_by_identity(table.labels("subject"))
    inputs = read_inputs(table, after, "gender", None, "subject")
    return part_populations(table, split, makers_of(after), inputs)


@pytest.fixture(scope="module")
def fitted_in_part(table):
    """Return an audit of a table of which a part was fitted on."""
    fit = np.asarray(table.column("split")) == "fit"
    after = made(table, table.vectors[fit])
    return sensitivenets.audit(table, after, identity="subject", **QUICK)


def test_a_shuffled_table_without_a_label_is_refused_and_nothing_attacks_it(table, monkeypatch):
    monkeypatch.setattr("sensitivenets.report.audits.audit_rows", None)
    order = np.random.default_rng(0).permutation(len(table))
    bare = dataclasses.replace(table.take(order), columns=pa.table({}))
    with pytest.raises(InputError, match="rows of the two tables do not correspond"):
        sensitivenets.audit(table, bare, identity="subject", **QUICK)


def test_nobody_knows_what_made_a_table_that_says_nothing(table):
    ((rows, _),) = populations(table, table)
    assert rows.kind == "unknown"
    assert "give its model" in rows.sentence


def test_a_shuffled_table_with_its_images_is_joined(table):
    image = pa.array([f"{k}.jpg" for k in range(len(table))])
    named = dataclasses.replace(table, columns=table.columns.append_column("image", image))
    order = np.random.default_rng(0).permutation(len(table))
    inputs = read_inputs(named, named.take(order), "gender", None, None)
    np.testing.assert_array_equal(inputs.after, inputs.before)
    assert correspondence_of(inputs, None, 0).known_by == "columns"
    assert any("were brought to their 'image'" in note for note in inputs.notes)


def test_a_model_that_does_not_make_the_table_is_told(table):
    def phi(X):
        return X[:, ::-1]

    right = read_inputs(table, made(table, table.vectors), "gender", None, None)
    assert correspondence_of(right, phi, 0).known_by == "map"
    wrong = read_inputs(table, table, "gender", None, None)
    found = correspondence_of(wrong, phi, 0)
    assert not found.holds
    assert "does not make the table after" in found.reason


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        ("primary", ("gender",), "their own labels of gender; this is not a figure for anybody"),
        ("adapted", (), "adapted to these very rows, without labels of theirs"),
    ],
)
def test_a_table_of_held_rows_says_so(table, name, labels, said):
    ((rows, _),) = populations(table, made(table, table.vectors, name))
    assert (rows.kind, rows.labels) == ("held", labels)
    assert said in rows.sentence


def test_held_and_new_rows_are_attacked_apart_and_never_mixed(table, fitted_in_part):
    found = fitted_in_part
    fit = np.asarray(table.column("split")) == "fit"
    assert (found.rows.kind, found.held.rows.kind) == ("new", "held")
    for part, mask in ((found, ~fit), (found.held, fit)):
        assert part.split.n_train + part.split.n_test == part.rows.n_rows == mask.sum()


def test_a_budget_is_shared_by_held_and_new_rows_and_by_all_versions(
    table, fitted_in_part, monkeypatch
):
    spent = []

    def attack(before, after, attributes, *, budget, **_):
        spent.append((after is None, budget))
        return fitted_in_part

    monkeypatch.setattr("sensitivenets.report.run.attacks.audit", attack)
    monkeypatch.setattr("sensitivenets.report.run.certify", lambda *_, **__: None)
    fit = np.asarray(table.column("split")) == "fit"
    after = made(table, table.vectors[fit])
    call = {"identity": "subject", "maps": False, "n_jobs": 1, "budget": 9.0}
    sensitivenets.audit(table, after, "gender", also=[after], **call)
    assert [together for together, _ in spent] == [False, True, False, True]
    # A quarter of a minute for the certificates of either part.
    assert sum(minutes for _, minutes in spent) == pytest.approx(8.5)
    for own, together in (spent[:2], spent[2:]):
        assert own[1] == pytest.approx(2 * together[1])


def test_the_held_part_is_on_the_console_and_in_the_json(fitted_in_part):
    again = from_json(to_json(fitted_in_part))
    assert isinstance(again.held, AuditRecord)
    assert again.held.attributes == fitted_in_part.held.attributes
    text = " ".join(repr(fitted_in_part).split())
    assert "Rows that the map has seen, attacked apart:" in text
    said = "their own labels of gender; this is not a figure for anybody else"
    assert said in text
    assert said in json.loads(to_json(fitted_in_part))["held"]["rows"]["sentence"]


def test_one_side_held_and_the_other_new_is_one_audit_that_says_so(table):
    split = split_by_column(table.labels("split"), "fit", "attack_train", table.labels("subject"))
    after = made(table, table.vectors[split.train])
    ((rows, kept),) = populations(table, after, split)
    assert (rows.kind, rows.attackers_outside) == ("new", True)
    assert kept is split
    mixed = dataclasses.replace(split, train=split.train[6:], test=np.r_[0:6, split.test])
    with pytest.raises(InputError, match="new rows, and no training row is"):
        populations(table, after, mixed)


def test_two_protected_versions_tell_together_what_neither_tells():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    X = rng.normal(size=(300, 3)) + 4 * np.eye(3)[0] * y[:, None]
    mask = 4 * rng.normal(size=300)
    # Each version hides the label under a mask; the difference of the two takes it off.
    first, second = X.copy(), X.copy()
    first[:, 0] += mask
    second[:, 0] = mask
    call = {"quick": True, "n_jobs": 1}
    found = sensitivenets.audit(X, first, {"label": y}, also=[second], **call)
    (together,) = found.collusion
    alone = found.attributes[0].strongest.balanced_accuracy
    assert together.strongest.balanced_accuracy > alone + 0.1
    assert "from 2 protected versions together" in repr(found)
    assert from_json(to_json(found)).collusion == found.collusion


def test_a_version_of_other_rows_is_refused(table):
    alone, two = (read_inputs(table, after, "gender", None, None) for after in (None, table))
    with pytest.raises(InputError, match="also: expected the table after the map too"):
        read_versions(alone, table, [table], 0)
    order = np.random.default_rng(0).permutation(len(table))
    with pytest.raises(InputError, match="also, table 1: rows of the two tables do not"):
        read_versions(two, table, [table.vectors[order]], 0)
    with pytest.raises(InputError, match="also, table 1: expected 180 rows"):
        read_versions(two, table, [table.vectors[1:]], 0)


def test_labels_that_mean_nothing_are_told(table):
    gender = np.asarray(table.column("gender")).astype(object)
    gender[:40] = "unknown"
    with pytest.warns(DataWarning, match=r"gender: 'unknown' \(40 rows\) counts as a class"):
        inputs = read_inputs(table.vectors, None, {"gender": gender}, None, None)
    assert any("'unknown' (40 rows)" in note for note in inputs.notes)
    gender[:40] = "male "
    with pytest.raises(InputError, match="differ by more than case and blanks"):
        read_inputs(table.vectors, None, {"gender": gender}, None, None)


def test_an_identity_that_is_written_as_nothing_is_nobody(table):
    who = np.asarray(table.column("subject")).astype(object)
    who[:50] = ""
    inputs = read_inputs(table.vectors, None, {"gender": table.labels("gender")}, None, who)
    assert inputs.subject.codes[:50].tolist() == [-1] * 50
