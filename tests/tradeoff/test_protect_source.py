"""A table that is read and not held is protected as one that is held, on any engine."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets import synthetic_diveface, write_table
from sensitivenets.embeddings import drawn_rows, read_table
from sensitivenets.embeddings.location import find_place
from sensitivenets.embeddings.source import open_table
from sensitivenets.embeddings.source_rows import IdentifiedRows, SourceRows
from sensitivenets.engines import InProcess
from sensitivenets.errors import InputError
from sensitivenets.maps.routed import moved_in_groups
from sensitivenets.report import load_json
from sensitivenets.tradeoff import protect_source as out_of_core
from sensitivenets.tradeoff.candidates import Candidate
from sensitivenets.tradeoff.evidence import Attack
from sensitivenets.tradeoff.labelled_sample import draw_sample
from sensitivenets.tradeoff.own_source import fitted_on_source, on_source
from sensitivenets.tradeoff.own_table import fitted_on, on_table
from sensitivenets.tradeoff.protect import protect_table
from sensitivenets.tradeoff.protect_source import protect_source
from sensitivenets.tradeoff.removal import Removal

FACES = synthetic_diveface(n_subjects=900, images_per_subject=3, dim=32, random_state=0)
KNOWN, MINE = FACES.where("split", "fit"), FACES.where("split", "attack_train")
UNLABELLED = replace(MINE, columns=MINE.columns.drop_columns(["gender", "ethnicity"]))
ASKED = Removal.of("gender", (), "subject", None, None)
ATTACK = Attack(quick=True, random_state=0, n_jobs=1, engine=None, progress=None)

pytestmark = pytest.mark.filterwarnings("ignore::sensitivenets.errors.DataWarning")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The table as a file and as a folder of three, and the reference."""
    place = tmp_path_factory.mktemp("faces")
    write_table(UNLABELLED, place / "mine.parquet")
    write_table(KNOWN, place / "known.parquet")
    for k, rows in enumerate(np.array_split(np.arange(len(MINE)), [100, 110])):
        write_table(UNLABELLED.take(rows), place / "mine" / f"{k}.parquet")
    return place


def both(place, candidate, subjects):
    """What a candidate is in memory, what it is in passes, and the rows moved by the latter."""
    model = fitted_on(KNOWN, ["gender"], candidate, UNLABELLED.vectors, 0)
    held = on_table(model, candidate, UNLABELLED.vectors, subjects, 0)
    rows = IdentifiedRows(SourceRows(open_table(place / "mine"), InProcess(1)), 32)
    model = fitted_on(KNOWN, ["gender"], candidate, rows, 0)
    found = on_source(model, candidate, rows, subjects, 0)
    return held, found, moved_in_groups(found.map, UNLABELLED.vectors, found.routes)


@pytest.mark.parametrize(
    ("candidate", "shared"),
    [
        (Candidate(), True),
        (Candidate(), False),
        (Candidate(means_only=True), True),
        (Candidate(rank=4), False),
        (Candidate(n_components=8), True),
        (Candidate(n_bits=64, scale=1.5), False),
    ],
    ids=str,
)
def test_passes_do_to_a_table_what_is_done_to_one_in_memory(place, candidate, shared):
    subjects = UNLABELLED.labels("subject").codes if shared else None
    held, found, moved = both(place, candidate, subjects)
    assert np.mean(found.routes == held.routes) > 0.995
    assert np.mean(np.isclose(moved, held.vectors, atol=1e-3)) > 0.99


def test_means_are_made_alike_whatever_rows_the_covariance_is_of(place):
    _, found, moved = both(place, Candidate(n_components=8, means_only=True), None)
    first, second = (moved[found.routes == g].mean(axis=0) for g in (0, 1))
    np.testing.assert_allclose(first, second, atol=1e-4)


def test_a_reference_that_is_read_teaches_the_same_groups(place):
    candidate = Candidate(n_components=8)
    rows = IdentifiedRows(SourceRows(open_table(place / "mine"), InProcess(1)), 32)
    known = open_table(place / "known.parquet")
    found = fitted_on_source(known, ["gender"], candidate, rows, 0, InProcess(1))
    expected = fitted_on(KNOWN, ["gender"], candidate, UNLABELLED.vectors, 0)
    assert found.removed == expected.removed
    assert found.fingerprint["primary"] == expected.fingerprint["primary"]
    alike = on_source(expected, candidate, rows, None, 0).routes
    assert np.mean(on_source(found, candidate, rows, None, 0).routes == alike) > 0.98


def protected(source, reference=KNOWN, attack=ATTACK, **more):
    return protect_source(open_table(source), reference, ASKED, attack, **more)


@pytest.mark.slow
def test_a_table_that_is_read_is_protected_as_one_that_is_held(place, tmp_path):
    found, held = protected(place / "mine"), protect_table(UNLABELLED, KNOWN, ASKED, ATTACK)
    assert found.adapted.rows == held.adapted.rows
    assert found.model.fingerprint["adapted"] == held.model.fingerprint["adapted"]
    found.write_table(find_place(tmp_path))
    written = read_table(tmp_path / "table")
    assert written.columns.column_names == held.table.columns.column_names
    np.testing.assert_allclose(written.vectors, held.table.vectors, atol=1e-3)
    # The last digits of the two differ, and with them a row or two.
    (one,), (other,) = found.audit.attributes, held.audit.attributes
    assert one.name == other.name == "gender (estimated labels)"
    assert one.reduction.before == pytest.approx(other.reduction.before, abs=0.01)
    assert one.reduction.after == pytest.approx(other.reduction.after, abs=0.02)


@pytest.mark.slow
def test_any_cut_and_number_of_workers_give_the_same_bits(place, tmp_path):
    one = protected(place / "mine.parquet", attack=replace(ATTACK, engine=InProcess(1)))
    other = protected(place / "mine", attack=replace(ATTACK, engine=InProcess(3)))
    for name, array in one.model.map.arrays().items():
        np.testing.assert_array_equal(array, other.model.map.arrays()[name])
    for k, found in enumerate((one, other)):
        found.write_table(find_place(tmp_path / str(k)), InProcess(1))
    left = read_table(tmp_path / "0" / "table.parquet").vectors
    right = read_table(tmp_path / "1" / "table").vectors
    np.testing.assert_allclose(left, right, atol=1e-4)


@pytest.mark.slow
def test_rows_that_are_attacked_are_drawn_and_known_to_be_held(place, monkeypatch):
    monkeypatch.setattr(out_of_core, "_ATTACKED", 300)
    found = protected(place / "mine", open_table(place / "known.parquet"))
    assert found.drawn == (
        "drawn: 100 of 300 subjects with 300 of 900 rows, in proportion by gender (estimated "
        "labels) and rows of a subject, seed 0"
    )
    assert found.audit.split.n_train + found.audit.split.n_test == 300
    assert found.audit.rows.kind == "held"


@pytest.mark.slow
def test_a_labelled_sample_is_among_what_is_drawn(place, monkeypatch):
    monkeypatch.setattr(out_of_core, "_ATTACKED", 300)
    sample = draw_sample(MINE, 120, random_state=1)
    shuffled = sample.take(np.random.default_rng(0).permutation(120))
    found = protected(place / "mine", sample=shuffled)
    (attribute,) = found.audit.attributes
    assert attribute.name == "gender (labelled sample)"
    assert found.audit.split.n_test == 120
    assert found.drawn.endswith(", and 120 rows for their labels")
    other = replace(sample, vectors=FACES.where("split", "attack_test").vectors[:120])
    with pytest.raises(InputError, match="its rows are not those of"):
        protected(place / "mine", sample=other)


def test_a_table_of_another_width_is_refused_before_any_work(place):
    narrow = replace(KNOWN, vectors=np.ascontiguousarray(KNOWN.vectors[:, :8]))
    with pytest.raises(InputError, match="expected embeddings of 8 features"):
        protected(place / "mine", narrow)


def test_numbers_of_a_table_that_is_not_held_are_refused(run, place, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_rows, "MOST_ROWS", 500)
    ages = pa.array(np.arange(len(KNOWN)) % 50)
    aged = replace(KNOWN, columns=KNOWN.columns.append_column("age", ages))
    write_table(aged.take(np.arange(300)), tmp_path / "aged.parquet")
    code, _, err = run(
        *("protect", place / "mine", "--reference", tmp_path / "aged.parquet"),
        *("--continuous", "age", "--out", tmp_path / "out"),
    )
    assert code == 2
    assert "has 900 rows, and numbers are read of tables that are held; write bands of 'age'" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_command_writes_a_folder_for_a_folder(run, place, tmp_path, monkeypatch):
    monkeypatch.setattr(drawn_rows, "MOST_ROWS", 500)
    monkeypatch.setattr(out_of_core, "_ATTACKED", 300)
    reference = ("--reference", place / "known.parquet", "--remove", "gender", "--quick")
    command = ("protect", place / "mine", *reference, "--n-jobs", 1, "--json")
    code, text, err = run(*command, "--out", tmp_path / "out")
    assert code == 0, err
    facts = json.loads(text)
    assert facts["drawn"].startswith("drawn: 300 of 900 rows")
    assert load_json(tmp_path / "out" / "report" / "audit.json").drawn == facts["drawn"]
    assert facts["table"] == str(tmp_path / "out" / "table")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"table", "model", "report", "sample.parquet"}
    written = read_table(tmp_path / "out" / "table")
    assert written.columns.column_names == UNLABELLED.columns.column_names
    code, _, err = run(*command, "--out", place / "mine" / "out")
    assert code == 2
    assert "is in, the folder of the files to be transformed" in err
