"""What an earlier version saved still loads, is of the kind it was, and maps rows as it did.

Written by sensitivenets 0.1.0 at commit 2102217 (2026-11-26), before files moved to the layout of
issue 13: `save_model` of small fits on `synthetic_diveface` (600 subjects, cut to their eight
leading principal axes), one folder for each kind of map and for each way that chains are nested;
``<folder>.npz`` beside it has rows of people who were not fitted on, and what the loaded map made
of them in float32 and in float64. Rows whose route or code bits rounding could change were left
out. Kinds that no estimator leaves alone (routed, subspace, fourier_projection) are one part of a
fitted chain, with its record. ``not_maps`` has a key, codes, an audit and an obfuscator of the same
day. saved_by_0_1/README.md says how each was made. Never write these files again: what is tested
is that new code reads old files.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from sensitivenets import load_model

SAVED = Path(__file__).parent / "saved_by_0_1"
OTHERS = SAVED / "not_maps"
KINDS = {
    "affine": "affine",
    "chain": "chain",
    "chain_of_chains": "chain",
    "chain_of_subspaces": "chain",
    "chain_to_code": "chain",
    "chain_to_columns": "chain",
    "chain_with_cells": "chain",
    "chain_with_fourier_and_mlp": "chain",
    "chain_within_budget": "chain",
    "columns": "columns",
    "fourier_projection": "fourier_projection",
    "low_rank_edit": "low_rank_edit",
    "low_rank_edit_of_rank_0": "low_rank_edit",
    "mlp": "mlp",
    "projection": "projection",
    "routed": "routed",
    "subspace": "subspace",
    "universal_code": "universal_code",
}


def test_every_saved_folder_is_tested():
    folders = {path.name for path in SAVED.iterdir() if path.is_dir() and path != OTHERS}
    assert folders == set(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_and_the_record_are_as_they_were(name):
    model = load_model(SAVED / name)
    config = json.loads((SAVED / name / "config.json").read_text(encoding="utf-8"))
    assert model.map.kind == KINDS[name]
    about = {part: getattr(model.map, part) for part in ("kind", "n_features_in", "n_features_out")}
    assert about == config["map"]
    assert model.method == config["method"]
    assert {n: list(classes) for n, classes in model.removed.items()} == config["removed"]
    assert dict(model.parameters) == config["parameters"]
    assert dict(model.fingerprint) == config["fingerprint"]
    assert [dict(record) for record in model.curve] == config["curve"]


@pytest.mark.parametrize(("dtype", "kept"), [(np.float32, "outputs"), (np.float64, "outputs64")])
@pytest.mark.parametrize("name", KINDS)
def test_rows_are_mapped_as_they_were(name, dtype, kept):
    expected = np.load(SAVED / f"{name}.npz")
    found = load_model(SAVED / name).map(expected["rows"].astype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected[kept], rtol=1e-5, atol=1e-6)


def test_a_key_makes_the_codes_it_made(tmp_path):
    # git keeps no file modes, and a key that others may read is refused.
    shutil.copyfile(OTHERS / "key_of_seed_0.json", tmp_path / "key.json")
    (tmp_path / "key.json").chmod(0o600)
    command = "import sys; from sensitivenets.cli import main; sys.exit(main())"
    files = ["--key", tmp_path / "key.json", "--like", OTHERS / "codes.parquet"]
    arguments = [OTHERS / "rows.parquet", *files, "--out", tmp_path / "codes.parquet"]
    subprocess.run([sys.executable, "-c", command, "encode", *arguments], check=True)
    made, kept = (pq.read_table(folder / "codes.parquet") for folder in (tmp_path, OTHERS))
    assert made.equals(kept)


def test_an_audit_can_be_reported_again(tmp_path):
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    from sensitivenets import write_report

    page = write_report(OTHERS / "audit.json", tmp_path).html.read_text(encoding="utf-8")
    audit = json.loads((OTHERS / "audit.json").read_text(encoding="utf-8"))
    [gender] = audit["attributes"]
    assert f"{100 * gender['strongest']['balanced_accuracy']:.1f}" in page


def test_an_obfuscator_still_loads_and_changes_faces_as_it_did():
    pytest.importorskip("torch")
    from sensitivenets.obfuscation.obfuscator_folder import load_obfuscator

    with np.load(OTHERS / "obfuscator.npz") as kept:
        rows, outputs = kept["rows"], kept["outputs"]
    made = load_obfuscator(OTHERS / "obfuscator").apply_to(rows)
    # Whole grey levels: another processor may round one the other way.
    np.testing.assert_allclose(made.astype(int), outputs.astype(int), atol=1)
