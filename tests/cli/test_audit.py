import dataclasses
import json
import re

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import read_table, write_table
from sensitivenets.errors import InputError
from sensitivenets.maps.made_by import Maker, makers_of
from sensitivenets.maps.model_folder import load_model


def entries(folder):
    return {entry.name for entry in folder.iterdir()}


def test_audit_of_two_tables(run, folder, tmp_path):
    run("transform", folder, "table.parquet", "--out", tmp_path / "after.parquet")
    code, printed, _ = run(
        *("audit", "table.parquet", tmp_path / "after.parquet", "--quick", "--joint"),
        *("--attribute", "gender", "--attribute", "ethnicity", "--identity", "subject"),
        *("--train", "split=fit", "--test", "split=attack_train", "--n-jobs", "1"),
        *("--out", tmp_path / "report"),
    )
    assert code == 3
    assert "plus or minus 19 points from 36 test rows: give more" in printed
    said = printed.splitlines()
    lines = said[[line.split()[0] for line in said].index("before") :]
    assert lines[0].split() == ["before", "after", "reduction", "random"]
    assert [line.split("  ")[0] for line in lines[1:5]] == [
        "recognition",
        "gender",
        "ethnicity",
        "gender x ethnicity",
    ]
    assert lines[-1] == f"open: {tmp_path / 'report' / 'report.html'}"
    audit = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert audit["provenance"]["before"]["file"] == "table.parquet"
    assert audit["verification"]["after"]["n_subjects"] == audit["split"]["n_test_identities"]
    assert (audit["split"]["n_train"], audit["split"]["n_test"]) == (60, 36)


def test_audit_of_one_table_as_json(run, tmp_path):
    code, printed, _ = run(
        *("audit", "table.parquet", "--quick", "--attribute", "gender", "--n-jobs", "1"),
        *("--out", tmp_path / "report", "--json"),
    )
    assert code == 0
    assert json.loads(printed) == json.loads((tmp_path / "report" / "audit.json").read_text())
    assert json.loads(printed)["n_features_after"] is None


def test_an_audit_that_is_not_valid_says_so_first_and_ends_with_3(run, tmp_path):
    table = read_table("table.parquet")
    coin = pa.array(np.random.default_rng(0).permutation(len(table)) % 2)
    write_table(
        dataclasses.replace(table, columns=table.columns.append_column("coin", coin)),
        tmp_path / "t.parquet",
    )
    asked = ("--attribute", "coin", "--quick", "--n-jobs", "1", "--out", tmp_path / "r")
    code, printed, _ = run("audit", tmp_path / "t.parquet", *asked)
    assert code == 3
    assert printed.startswith("Measurement not valid. Leak: not known.\n")
    assert printed.count("Measurement") == 1


def test_the_whole_audit_of_a_number(run, folder, tmp_path):
    table = read_table("table.parquet")
    age = pa.array([None, *(30 + 10 * table.vectors[1:, 0])])
    aged = dataclasses.replace(table, columns=table.columns.append_column("age", age))
    write_table(aged, tmp_path / "t.parquet")
    run("transform", folder, tmp_path / "t.parquet", "--out", tmp_path / "a.parquet")
    code, printed, _ = run(
        *("audit", tmp_path / "t.parquet", tmp_path / "a.parquet", "--continuous", "age"),
        *("--no-curves", "--n-jobs", "1", "--out", tmp_path / "report"),
    )
    assert code == 0
    assert re.search(r"age: R2 \d\.\d\d \(.+\) before, R2 \d\.\d\d \(.+\) after", printed)
    audit = json.loads((tmp_path / "report" / "audit.json").read_text())
    assert (audit["mode"], audit["verification"]) == ("full", {})
    (number,) = audit["continuous"]
    assert number["n_train"] + number["n_test"] == 119


QUICK = ("--quick", "--attribute", "gender", "--n-jobs", "1")


def of_fairness(target="hired", **changed):
    estimate = {"value": 0.5, "low": 0.4, "high": 0.6, "n": 2}
    rates = dict.fromkeys(
        ("accuracy", "tpr_favoured", "tpr_other", "gap", "absolute_gap"), estimate
    )
    names = {"positive": "yes", "sensitive": "gender", "favoured": "Male", "other": "Female"}
    found = {"bias": 0.7, "before": rates, "after": None, "absolute_gap_reduction": None}
    asked = {"decisions": [], "rules": {}}
    return {
        "target": target,
        **names,
        **found,
        "runs": [],
        "dropped": 0,
        "notes": [],
        **asked,
    } | changed


def test_fairness_is_shown_in_the_report(run, tmp_path):
    files = [tmp_path / f"{target}.json" for target in ("hired", "promoted")]
    for path in files:
        path.write_text(json.dumps(of_fairness(path.stem)))
    code, printed, _ = run(
        *("audit", "table.parquet", *QUICK, "--out", tmp_path / "report", "--json"),
        *("--fairness", files[0], "--fairness", files[1]),
    )
    assert code == 0
    assert json.loads(printed)["fairness"] == {
        target: of_fairness(target) for target in ("hired", "promoted")
    }
    assert json.loads(printed)["provenance"]["given"] == {"fairness": [str(f) for f in files]}
    page = (tmp_path / "report" / "report.html").read_text()
    assert f"given to this audit ({files[0]}, {files[1]})" in page
    assert "promoted = yes; gender: Male makes up 70" in page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "f.json: no such file"),
        ("", "f.json: expected what `sensitivenets fairness --json` writes, Expecting value"),
        ("[]", "f.json: expected what `sensitivenets fairness --json` writes, found other JSON"),
        ('{"eer": 1}', "found JSON without 'target', 'sensitive', 'before'"),
        (json.dumps(of_fairness(before=[])), "f.json: fairness.before: expected dict, found []"),
        (
            json.dumps(of_fairness(bias="most")),
            "fairness.bias: expected a finite number, found 'most'; run it again",
        ),
        (
            json.dumps(of_fairness(favoured=1)),
            "fairness.favoured: expected str, found 1; run it again",
        ),
        (
            json.dumps(of_fairness()).replace("0.6", "NaN"),
            "high: expected a finite number, found nan; run it again",
        ),
    ],
)
def test_what_is_no_fairness_result_is_refused_before_the_attack(run, tmp_path, text, message):
    if text is not None:
        (tmp_path / "f.json").write_text(text)
    code, out, err = run(
        *("audit", "table.parquet", *QUICK, "--out", tmp_path / "r"),
        *("--fairness", tmp_path / "f.json"),
    )
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "r").exists()


def test_two_fairness_results_of_one_target_are_refused(run, tmp_path):
    (tmp_path / "f.json").write_text(json.dumps(of_fairness()))
    code, _, err = run(
        *("audit", "table.parquet", *QUICK, "--out", tmp_path / "r"),
        *("--fairness", tmp_path / "f.json", "--fairness", tmp_path / "f.json"),
    )
    assert code == 2
    assert "found 'hired' in both; give one file for each target" in err


def test_pictures_are_saved_when_asked_for(run, tmp_path):
    audit = ("audit", "table.parquet", *QUICK)
    assert run(*audit, "--out", tmp_path / "without")[0] == 0
    assert run(*audit, "--out", tmp_path / "with", "--save-pictures")[0] == 0
    assert entries(tmp_path / "without") == {"audit.json", "report.html"}
    assert entries(tmp_path / "with") == {"audit.json", "report.html", "pictures"}
    pictures = entries(tmp_path / "with" / "pictures")
    assert {"attackers-0.svg", "attackers-0.png"} <= pictures


def test_audit_without_the_report_libraries_writes_the_json(run, tmp_path, monkeypatch):
    from importlib import util

    find_spec = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda n: None if n == "jinja2" else find_spec(n))
    code, printed, err = run(
        *("audit", "table.parquet", "--quick", "--attribute", "gender", "--n-jobs", "1"),
        *("--out", tmp_path / "report"),
    )
    assert code == 0
    assert "no report.html: it needs jinja2; pip install 'sensitivenets[report]'" in err
    assert entries(tmp_path / "report") == {"audit.json"}
    assert printed.splitlines()[0].split() == ["table", "random"]


def test_tables_of_other_rows_are_not_compared(run, tmp_path):
    table = read_table("table.parquet")
    write_table(table.take(np.arange(119)), tmp_path / "short.parquet")
    write_table(table.take(np.arange(120)[::-1].copy()), tmp_path / "reversed.parquet")
    audit = ("audit", "table.parquet", "--attribute", "ethnicity", "--out", tmp_path / "r")
    short = run(*audit[:2], tmp_path / "short.parquet", *audit[2:])
    assert short[0] == 2
    assert "short.parquet: expected 120 rows as in table.parquet, found 119" in short[2]
    shuffled = run(*audit[:2], tmp_path / "reversed.parquet", *audit[2:])
    assert shuffled[0] == 2
    assert "reversed.parquet, row 0: 'subject' is 'synthetic" in shuffled[2]
    bare = dataclasses.replace(
        table.take(np.random.default_rng(0).permutation(120)), columns=pa.table({})
    )
    write_table(bare, tmp_path / "bare.parquet")
    unknown = run(*audit[:2], tmp_path / "bare.parquet", *audit[2:])
    assert unknown[:2] == (2, "")
    assert "rows of the two tables do not correspond" in unknown[2]
    assert not (tmp_path / "r").exists()


def test_the_table_that_transform_wrote_says_which_rows_its_model_has_seen(run, folder, tmp_path):
    run("transform", folder, "table.parquet", "--out", tmp_path / "after.parquet")
    (maker,) = makers_of(read_table(tmp_path / "after.parquet"))
    assert maker == Maker.of(load_model(folder))


def test_more_versions_and_subgroups_reach_the_audit(run, tmp_path, monkeypatch):
    def audit(*_, also, subgroups, **__):
        raise InputError(f"asked: {len(also)} of {len(also[0])} rows, {subgroups}")

    monkeypatch.setattr("sensitivenets.report.audit", audit)
    tables = ("table.parquet", "table.parquet", "--also", "table.parquet")
    asked = ("--attribute", "gender", "--subgroup", "ethnicity", "--subgroup", "split")
    code, _, error = run("audit", *tables, *asked, "--out", tmp_path / "r")
    assert code == 2
    assert "asked: 1 of 120 rows, ['ethnicity', 'split']" in error


def test_an_identity_without_a_name_makes_no_genuine_pairs(run, tmp_path):
    table = read_table("table.parquet")
    who = ["" if k < 40 else name for k, name in enumerate(table.column("subject").to_pylist())]
    nameless = dataclasses.replace(table, columns=pa.table({"who": who}))
    write_table(nameless, tmp_path / "t.parquet")
    known = nameless.take(np.arange(40, 120))
    write_table(known, tmp_path / "known.parquet")
    pairs = [
        json.loads(run("verify", tmp_path / name, "--identity", "who", "--json")[1])["n_genuine"]
        for name in ("t.parquet", "known.parquet")
    ]
    assert pairs[0] == pairs[1]


def test_one_process_reads_what_two_do(run, tmp_path):
    for name in ("process", "processes"):
        audit = ("audit", "table.parquet", *QUICK, "--engine", name, "--out", tmp_path / name)
        assert run(*audit)[0] == 0
    one, two = ((tmp_path / name / "audit.json").read_text() for name in ("process", "processes"))
    assert one == two
