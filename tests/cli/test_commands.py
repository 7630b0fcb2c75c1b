import dataclasses
import json
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets import __version__
from sensitivenets.embeddings import EmbeddingTable, canonical_values, read_table, write_table
from sensitivenets.maps.model_folder import load_model

SETTINGS = ("n_layers=1", "n_units=16", "n_epochs=1", "n_triplets=200")
SMALL = [option for setting in SETTINGS for option in ("--set", setting)]
COMMANDS = (
    *("demo", "fit", "transform", "encode", "key"),
    *("verify", "audit", "fairness", "benchmark", "info"),
)


def entries(folder):
    return {entry.name for entry in folder.iterdir()}


def test_help_lists_the_commands(run):
    code, out, _ = run("--help")
    assert code == 0
    for command in COMMANDS:
        assert f"│ {command} " in out


@pytest.mark.parametrize(
    "command", [("key", "rotate"), *((name,) for name in COMMANDS if name != "key")]
)
def test_every_option_has_a_help_text(run, command):
    code, out, _ = run(*command, "--help")
    assert code == 0
    # An option without a text has nothing between its type or default and the border.
    lines = [line for line in out.splitlines() if re.match(r"│( \*)? +--", line)]
    assert len(lines) >= 2
    assert all(len(line.split("--", 1)[1].split()) > 2 for line in lines)


def test_version(run):
    assert run("--version") == (0, f"{__version__}\n", "")


def test_fit_transform_and_info(run, tmp_path):
    out = tmp_path / "m"
    code, printed, _ = run(
        *("fit", "table.parquet", "--identity", "subject", "--where", "split=fit", *SMALL),
        *("--remove", "gender", "--remove", "ethnicity", "--random-state", "3", "--out", out),
    )
    assert code == 0
    assert "gender: the last linear detector reads" in printed
    assert printed.splitlines()[-1].startswith("next: sensitivenets transform")
    model = load_model(out)
    assert model.removed == {
        "gender": ("Female", "Male"),
        "ethnicity": ("Group 1", "Group 2", "Group 3"),
    }
    assert model.parameters["random_state"] == 3
    assert model.fingerprint["primary"]["rows"] == 60

    code, printed, err = run("transform", out, "table.parquet", "--out", tmp_path / "a.parquet")
    assert code == 0
    assert err.startswith("left out: ")
    assert printed == f"120 rows of 16 features: {tmp_path / 'a.parquet'}\n"
    # Last bits depend on the number of threads: both records say it.
    (made_by,) = json.loads(
        pq.read_schema(tmp_path / "a.parquet").metadata[b"sensitivenets.made_by"]
    )
    assert made_by["threads"] == model.fingerprint["computed_with"]["threads"] >= 1
    before, after = read_table("table.parquet"), read_table(tmp_path / "a.parquet")
    # What is written is what the map says, to 16 binary digits after the first.
    np.testing.assert_array_equal(after.vectors, canonical_values(model.map(before.vectors)))
    np.testing.assert_allclose(after.vectors, model.map(before.vectors), rtol=2**-17)
    assert after.columns.equals(before.columns.drop_columns(["gender", "ethnicity"]))
    run("transform", out, "table.parquet", "--keep", "gender", "--out", tmp_path / "k.parquet")
    assert "gender" in read_table(tmp_path / "k.parquet").columns.column_names

    code, printed, _ = run("info", out)
    assert code == 0
    assert "SensitiveNet: 64 features to 16 (projection)" in printed
    assert "Group 1, Group 2, Group 3" in printed


def test_fit_says_what_it_did_as_json(run, tmp_path):
    code, printed, _ = run(
        *("fit", "table.parquet", "--identity", "subject", "--remove", "gender", *SMALL),
        *("--out", tmp_path / "m", "--json"),
    )
    assert code == 0
    summary = json.loads(printed)
    assert summary["removed"] == {"gender": ["Female", "Male"]}
    assert summary["last_epoch"]["layer"] == 1


def test_fit_with_detectors_from_another_table(run, tmp_path):
    bare = read_table("table.parquet")
    bare = dataclasses.replace(bare, columns=bare.columns.select(["subject"]))
    write_table(bare, tmp_path / "bare.parquet")
    code, _, _ = run(
        *("fit", tmp_path / "bare.parquet", "--identity", "subject", "--remove", "gender"),
        *("--detector", "table.parquet", "--detector-where", "split=attack_train"),
        *(*SMALL, "--out", tmp_path / "m"),
    )
    assert code == 0
    assert load_model(tmp_path / "m").fingerprint["detector"]["rows"] == 36


def test_fit_for_a_label(run, tmp_path):
    code, _, _ = run(
        *("fit", "table.parquet", "--task", "ethnicity", *SMALL, "--set", "loss=cross_entropy"),
        *("--remove", "gender", "--out", tmp_path / "m"),
    )
    assert code == 0
    assert load_model(tmp_path / "m").parameters["loss"] == "cross_entropy"


def test_verify_all_pairs(run):
    code, printed, _ = run("verify", "table.parquet", "--identity", "subject", "--json")
    result = json.loads(printed)
    assert code == 0
    assert (result["protocol"], result["n_genuine"]) == ("all pairs", 60)


@pytest.mark.parametrize(
    ("options", "protocol", "n_genuine"),
    [
        (["--pairs", "pairs.parquet"], "view2", 50),
        (["--pairs", "pairs.parquet", "--protocol", "view1"], "view1", 50),
        (["--pairs", "named.parquet", "--protocol", "view2"], "view2", None),
    ],
)
def test_verify_pairs(run, options, protocol, n_genuine):
    code, printed, _ = run("verify", "table.parquet", *options, "--json")
    assert code == 0
    result = json.loads(printed)
    assert result["protocol"] == protocol
    assert n_genuine is None or result["n_genuine"] == n_genuine


def test_verify_prints_rates_refusals_and_groups(run):
    code, printed, err = run(
        *("verify", "table.parquet", "--pairs", "pairs.parquet"),
        *("--identity", "subject", "--group", "gender"),
    )
    assert (code, err) == (0, "")
    assert "accuracy" in printed
    assert "refused: FMR 0.001 is below the resolution of" in printed


def odd_columns(n_rows):
    return pa.table({
        "box": pa.array([[1.0, 2.0, 3.0, 4.0]] * n_rows, pa.list_(pa.float32())),
        "about": pa.array([{"a": 1}] * n_rows),
        "nothing": pa.nulls(n_rows),
        "half": pa.array([0.5] * n_rows, pa.float16()),
        "price": pa.array([1] * n_rows, pa.decimal128(5)),
        "raw": pa.array([b"x"] * n_rows),
        "when": pa.array([1] * n_rows, pa.timestamp("ns")),
    })


def test_what_transform_writes_info_reads_whatever_columns_there_are(run, folder, tmp_path):
    vectors = read_table("table.parquet").vectors
    write_table(EmbeddingTable(vectors, odd_columns(len(vectors))), tmp_path / "t.parquet")
    assert run("transform", folder, tmp_path / "t.parquet", "--out", tmp_path / "a.parquet")[0] == 0
    for options in ((), ("--json",)):
        code, printed, err = run("info", tmp_path / "a.parquet", *options)
        assert (code, err) == (0, "")
        assert "box" in printed


def test_info_of_a_table(run):
    code, printed, err = run("info", "table.parquet")
    assert (code, err) == (0, "")
    assert "120 rows of 64 features, length 1 to 1" in printed
    assert "Female (60), Male (60)" in printed
    facts = json.loads(run("info", "table.parquet", "--json")[1])
    assert facts["columns"]["ethnicity"]["distinct"] == 3


def test_demo_types_what_a_user_would_and_protects_what_it_made(run, two_candidates, tmp_path):
    out = tmp_path / "d"
    command = ("demo", "--out", out, "--n-subjects", "120", "--n-jobs", "1")
    code, printed, _ = run(*command)
    assert code == 0
    typed, *lines = printed.splitlines()
    assert typed.startswith(f"$ sensitivenets protect {out / 'faces.parquet'} --reference {out}")
    assert [line.split()[0] for line in lines[:3]] == ["gender:", "ethnicity:", "recognition:"]
    assert lines[-1] == f"open: {out / 'protected' / 'report' / 'report.html'}"
    assert entries(out) == {"reference.parquet", "faces.parquet", "protected"}
    assert entries(out / "protected") == {"table.parquet", "model", "report"}
    first = (out / "protected" / "table.parquet").read_bytes()
    # The command that it printed makes the same table; a second demo replaces both if it may.
    again = tmp_path / "again"
    assert run(*typed.split()[2:-1], again, "--n-jobs", "1")[0] == 0
    assert (again / "table.parquet").read_bytes() == first
    code, _, err = run(*command)
    assert (code, "add --overwrite" in err) == (2, True)
    assert run(*command, "--overwrite")[0] == 0
    assert (out / "protected" / "table.parquet").read_bytes() == first
