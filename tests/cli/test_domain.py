"""``--domain``: each source of rows has groups of its own."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets import load_model, read_table, synthetic_diveface, write_table


@pytest.fixture(scope="module")
def of_splits(tmp_path_factory):
    place = tmp_path_factory.mktemp("splits") / "table.parquet"
    write_table(
        synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0), place
    )
    return place


def test_groups_of_a_fit_are_crossed_with_the_source(run, of_splits, tmp_path):
    options = ("--remove", "gender", "--domain", "split", "--method", "routed_transport")
    code, _, err = run("fit", of_splits, *options, "--out", tmp_path / "m")
    assert code == 0, err
    model = load_model(tmp_path / "m")
    assert set(model.removed) == {"gender", "split"}
    n_groups = len(model.removed["gender"]) * len(model.removed["split"])
    assert len(model.curve[0]["forecast"]["rows"]) == n_groups


def test_a_table_is_adapted_to_source_by_source(run, of_splits, tmp_path):
    fitted = ("--remove", "gender", "--method", "routed_transport", "--out", tmp_path / "m")
    assert run("fit", of_splits, *fitted)[0] == 0
    adapted = ("adapt", tmp_path / "m", of_splits, "--domain", "split", "--out", tmp_path / "own")
    code, printed, err = run(*adapted)
    assert code == 0, err
    for source in ("attack_test", "attack_train", "fit"):
        assert f"{source} 1" in printed
        assert f"{source} 2" in printed
    record = load_model(tmp_path / "own").curve[0]["adapted"]
    assert record["sources"] == ["attack_test", "attack_train", "fit"]
    assert sum(record["rows"]) == 900


@pytest.fixture
def of_cameras(of_splits, tmp_path):
    """A table of 40 people of three rows, of which every second is by the other camera."""
    table = read_table(of_splits).take(np.arange(120))
    camera = np.array(["a", "b"])[np.arange(120) % 2]
    columns = table.columns.append_column("camera", pa.array(camera))
    write_table(replace(table, columns=columns), tmp_path / "cameras.parquet")
    return (tmp_path / "cameras.parquet", "--identity", "subject", "--domain", "camera")


def test_verification_across_sources_is_printed(run, of_cameras):
    code, printed, err = run("verify", *of_cameras)
    assert code == 0, err
    lines = {line.split()[0]: line.split() for line in printed.splitlines() if line.strip()}
    assert lines["camera"][:4] == ["camera", "genuine", "impostor", "EER"]
    assert "camera, threshold at FMR 0.01" in printed
    # One pair of a person is of one camera, and two are of two.
    counts = [line.split()[1:3] for line in printed.splitlines() if line.startswith(("wi", "ac"))]
    assert counts[:2] == [["40", "3500"], ["80", "3520"]]


@pytest.mark.slow
def test_verification_across_sources_is_audited(run, of_cameras, tmp_path):
    attack = ("--attribute", "gender", "--quick", "--out", tmp_path / "report")
    code, _, err = run("audit", *of_cameras, *attack)
    assert code == 3, err  # so few rows leave a wide interval
    written = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert written["verification"]["before"]["domains"]["domain"] == "camera"
    page = (tmp_path / "report" / "report.html").read_text()
    assert "Equal error rate across camera" in page
    assert "camera, one threshold for all" in page


def test_people_are_what_is_verified_across_sources(run, of_splits, tmp_path):
    asked = ("--attribute", "gender", "--domain", "split", "--out", tmp_path / "r")
    code, _, err = run("audit", of_splits, *asked)
    assert code == 2
    assert "--domain: expected --identity with it" in err
    refitted = ("--identity", "subject", "--domain", "split", "--refit")
    code, _, err = run("verify", of_splits, *refitted)
    assert code == 2
    assert "neither --pairs, --attribute nor --domain" in err
