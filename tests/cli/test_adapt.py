"""``adapt``: a derived model folder, streamed or in memory, with its record."""

import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from sensitivenets.datasets import synthetic_diveface
from sensitivenets.embeddings import read_table, write_table
from sensitivenets.embeddings.fingerprint import table_record
from sensitivenets.erasers.transport.coded_transport import CodedTransport
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.digest import weights_digest
from sensitivenets.maps.model_folder import load_model, save_model


@pytest.fixture
def faces(place):
    """A model of one part of a population, and the other part as a table."""
    if not (place / "faces.parquet").exists():
        made = synthetic_diveface(n_subjects=600, images_per_subject=3, dim=32, random_state=0)
        known = made.where("split", "fit")
        write_table(made.where("split", "attack_train"), place / "faces.parquet")
        sensitive = {"gender": known.column("gender")}
        for name, eraser in (
            ("routed", RoutedTransport(random_state=0)),
            ("coded", CodedTransport(n_bits=64, random_state=0)),
        ):
            save_model(eraser.fit(known.vectors, sensitive=sensitive), place / name)
    return read_table(place / "faces.parquet")


def test_a_derived_model_knows_its_table_and_its_parent(run, faces, tmp_path):
    code, printed, err = run(
        *("adapt", "routed", "faces.parquet", "--identity", "subject"),
        *("--out", tmp_path / "own", "--json"),
    )
    assert (code, err.strip()) == (0, "")
    made, parent = load_model(tmp_path / "own"), load_model("routed")
    assert made.fingerprint["adapted"] == table_record(faces.vectors)
    assert made.fingerprint["reference primary"] == parent.fingerprint["primary"]
    found = json.loads(printed)["adapted"]
    assert sum(found["rows"]) == len(faces)
    assert made.curve[0]["adapted"]["rows"] == found["rows"]
    assert made.removed == parent.removed
    card = (tmp_path / "own" / "README.md").read_text()
    assert "Rows of each predicted group" in card
    assert "not stored, logged or returned" in card


@pytest.mark.parametrize("name", ["routed", "coded"])
def test_streamed_and_held_rows_give_one_model(run, faces, tmp_path, name):
    assert run("adapt", name, "faces.parquet", "--out", tmp_path / "streamed")[0] == 0
    held = ("adapt", name, "faces.parquet", "--where", "split=attack_train")
    assert run(*held, "--out", tmp_path / "held")[0] == 0
    one, other = (load_model(tmp_path / n).map(faces.vectors) for n in ("streamed", "held"))
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_people_are_told_what_to_expect_and_what_to_do(run, faces, tmp_path):
    code, printed, _ = run("adapt", "routed", "faces.parquet", "--out", tmp_path / "own")
    assert code == 0
    assert "predicted group" in printed
    assert "new rows: a Gaussian attacker reads about" in printed
    assert printed.endswith(
        f"next: sensitivenets transform {tmp_path / 'own'} faces.parquet --out agnostic.parquet\n"
    )
    mapped = ("transform", tmp_path / "own", "faces.parquet", "--out", tmp_path / "a.parquet")
    assert run(*mapped)[0] == 0


def test_what_cannot_be_adapted_is_said(run, faces, folder, tmp_path):
    out = ("--out", tmp_path / "own")
    code, _, err = run("adapt", "model", "table.parquet", *out)
    assert code == 2
    assert "expected a map that begins with routes" in err
    code, _, err = run("adapt", "routed", "table.parquet", *out)
    assert code == 2
    assert "expected embeddings of 32 features" in err
    code, _, err = run("adapt", "routed", "faces.parquet", "--identity", "nobody", *out)
    assert code == 2
    assert "no column 'nobody'" in err
    assert not (tmp_path / "own").exists()


def test_a_foreign_table_keeps_the_models_own_maps_unless_it_is_trusted(run, faces, tmp_path):
    foreign = faces.vectors[:, np.random.default_rng(0).permutation(32)]
    write_table(faces.with_vectors(foreign), tmp_path / "foreign.parquet")
    code, printed, _ = run("adapt", "routed", tmp_path / "foreign.parquet", "--out", tmp_path / "a")
    assert code == 0
    assert "doubt: the table is unlike the reference" in printed
    assert "doubt: fell back on the model's own maps" in printed
    own = load_model("routed").map(foreign)
    np.testing.assert_array_equal(load_model(tmp_path / "a").map(foreign), own)
    trusted = ("adapt", "routed", tmp_path / "foreign.parquet", "--trust", "--out", tmp_path / "b")
    assert "fell back" not in run(*trusted)[1]
    assert not np.allclose(load_model(tmp_path / "b").map(foreign), own, atol=1e-3)


def test_how_a_file_is_split_does_not_matter(run, faces, tmp_path):
    made = []
    for rows in (97, 4096):
        pq.write_table(
            pq.read_table("faces.parquet"), tmp_path / f"{rows}.parquet", row_group_size=rows
        )
        out = tmp_path / f"model{rows}"
        assert run("adapt", "routed", tmp_path / f"{rows}.parquet", "--out", out)[0] == 0
        made.append(load_model(out))
    one, other = (model.map(faces.vectors) for model in made)
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert made[0].fingerprint == made[1].fingerprint


def test_fit_says_what_new_people_will_show(run, faces, tmp_path):
    fit = ("fit", "faces.parquet", "--remove", "gender", "--method", "routed_transport")
    code, printed, _ = run(*fit, "--out", tmp_path / "m")
    assert code == 0
    assert printed.startswith("new rows: a Gaussian attacker reads about")
    assert "Forecast for new people" in (tmp_path / "m" / "README.md").read_text()


def test_an_engine_adapts_alike(run, tmp_path):
    for name in ("process", "processes"):
        own = ("--engine", name, "--workers", "2", "--out", tmp_path / name)
        assert run("adapt", "routed", "faces.parquet", *own)[0] == 0
    here, there = (load_model(tmp_path / name) for name in ("process", "processes"))
    assert weights_digest(here.map.arrays()) == weights_digest(there.map.arrays())
