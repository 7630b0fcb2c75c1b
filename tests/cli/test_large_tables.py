"""Commands on tables of many files, of other kinds, and of more rows than are compared."""

import json

import numpy as np
import pyarrow.csv
import pytest

from sensitivenets.embeddings import drawn_rows, read_table, write_table
from sensitivenets.maps.model_folder import load_model


@pytest.fixture(scope="module")
def parts(place):
    """The table in three files of a folder, and as a CSV of a column a feature."""
    table = read_table(place / "table.parquet")
    for k, rows in enumerate((range(50), range(50, 51), range(51, 120))):
        (place / "parts" / f"half={k % 2}").mkdir(parents=True, exist_ok=True)
        write_table(table.take(np.array(rows)), place / "parts" / f"half={k % 2}" / f"{k}.parquet")
    wide = {f"f{k}": table.vectors[:, k] for k in range(64)}
    labels = {name: table.columns[name] for name in table.columns.column_names}
    pyarrow.csv.write_csv(pyarrow.table(wide | labels), place / "wide.csv")
    return read_table(place / "parts")


@pytest.fixture
def few_are_many(monkeypatch):
    monkeypatch.setattr(drawn_rows, "MOST_ROWS", 100)
    monkeypatch.setitem(drawn_rows.draw_rows.__kwdefaults__, "most", 60)


FIT = ("--remove", "gender", "--method", "leace", "--out")


def test_any_kind_and_cut_of_a_table_gives_one_model(run, parts, place, tmp_path):
    sources = {
        "folder": ["parts"],
        "glob": ["parts/*/*.parquet"],
        "url": [f"file://{place}/parts"],
        "csv": ["wide.csv", "--embedding", "f*"],
        "processes": ["parts", "--engine", "processes", "--workers", "2"],
    }
    arrays = {}
    for name, (table, *options) in sources.items():
        code, _, err = run("fit", table, *FIT, tmp_path / name, *options)
        assert (code, err) == (0, "")
        arrays[name] = load_model(tmp_path / name).map.arrays()
    for name in ("glob", "url", "processes"):
        for key, array in arrays["folder"].items():
            np.testing.assert_array_equal(arrays[name][key], array)
    # The CSV has the rows in the order of the first table, and digits enough.
    for key, array in arrays["folder"].items():
        np.testing.assert_allclose(np.abs(arrays["csv"][key]), np.abs(array), atol=1e-4)


def test_a_folder_becomes_a_folder_and_is_told_when_it_was_there(run, parts, tmp_path):
    assert run("fit", "parts", *FIT, tmp_path / "m")[0] == 0
    command = ("transform", tmp_path / "m", "parts", "--out", tmp_path / "out")
    code, printed, _ = run(*command)
    assert (code, printed) == (0, f"120 rows of 64 features in 3 files: {tmp_path / 'out'}\n")
    assert "in 3 files (3 were there)" in run(*command)[1]
    made = read_table(tmp_path / "out")
    assert made.columns["half"].to_pylist() == parts.columns["half"].to_pylist()
    assert "gender" not in made.columns.column_names
    (tmp_path / "out" / "half=0" / "0.parquet").unlink()
    facts = json.loads(run(*command, "--json")[1])
    assert (facts["files"], facts["already_there"]) == (3, 2)


def test_conditions_reach_every_command(run, parts, tmp_path):
    where = ("--where", "half=0")
    assert run("fit", "parts", *FIT, tmp_path / "m", *where)[0] == 0
    assert load_model(tmp_path / "m").fingerprint["primary"]["rows"] == 119
    code, printed, _ = run("transform", tmp_path / "m", "parts", "--out", tmp_path / "o", *where)
    assert code == 0
    assert printed.startswith("119 rows of 64 features in 2 files")


def test_info_of_a_folder(run, parts):
    facts = json.loads(run("info", "parts", "--json")[1])
    assert facts["rows"] == 120
    assert facts["columns"]["half"] == {
        "type": "int64",
        "distinct": 2,
        "unlabelled": 0,
        "most_frequent": {"0": 119},
    }
    whole = json.loads(run("info", "table.parquet", "--json")[1])
    assert facts["norm"] == pytest.approx(whole["norm"])


def test_subjects_of_a_large_table_are_drawn_unless_all_are_asked_for(run, few_are_many):
    command = ("verify", "table.parquet", "--identity", "subject", "--group", "gender", "--json")
    code, printed, err = run(*command)
    result = json.loads(printed)
    assert code == 0
    assert result["drawn"] == (
        "drawn: 30 of 60 subjects with 60 of 120 rows, in proportion by gender and rows of a "
        "subject, seed 0"
    )
    assert err == f"{result['drawn']}; --exact compares all\n"
    assert result["n_subjects"] == 30
    exact = json.loads(run(*command, "--exact")[1])
    assert (exact["n_subjects"], "drawn" in exact) == (60, False)


def test_rows_of_large_tables_are_drawn_for_an_audit(run, few_are_many, parts, tmp_path):
    code, _, err = run(
        *("audit", "table.parquet", "table.parquet", "--attribute", "gender", "--quick"),
        *("--identity", "subject", "--out", tmp_path / "r", "--n-jobs", "1"),
    )
    assert code == 3, "so few rows leave a wide interval"
    assert err.splitlines()[0] == (
        "drawn: 30 of 60 subjects with 60 of 120 rows, in proportion by gender and rows of a "
        "subject, seed 0; these are attacked"
    )
    said = json.loads((tmp_path / "r" / "audit.json").read_text(encoding="utf-8"))["drawn"]
    assert err.startswith(f"{said}; these are attacked")
    assert said in (tmp_path / "r" / "report.html").read_text(encoding="utf-8")


def test_an_engine_that_would_do_nothing_is_refused(run, tmp_path):
    code, _, err = run(
        *("fit", "table.parquet", "--remove", "gender", "--method", "inlp", "--engine", "ray"),
        *("--out", tmp_path / "m"),
    )
    assert code == 2
    assert "--engine: inlp, as it is set, holds all rows in this process" in err


def test_verify_on_an_engine_says_the_same(run):
    verify = ("verify", "table.parquet", "--identity", "subject", "--json")
    here, there = (
        run(*verify, "--engine", name, "--workers", "2") for name in ("process", "processes")
    )
    assert here[0] == there[0] == 0
    found, expected = json.loads(there[1]), json.loads(here[1])
    assert found["eer"] == pytest.approx(expected["eer"], abs=1e-4)
    assert found["n_impostor"] == expected["n_impostor"]


def test_pairs_that_are_given_need_no_engine(run):
    given = ("verify", "table.parquet", "--pairs", "pairs.parquet", "--engine", "processes")
    code, _, err = run(*given)
    assert code == 2
    assert "--engine: expected all pairs to compare, without --pairs or --refit" in err
