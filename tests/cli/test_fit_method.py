import json

import pytest

from sensitivenets.cli.method_options import estimator_parameters
from sensitivenets.embeddings import read_table
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.maps.model_folder import load_model
from sensitivenets.tradeoff import CANDIDATES

FIT = ("fit", "table.parquet", "--remove", "gender")
SETTINGS = ("n_layers=1", "n_units=16", "n_epochs=1", "n_triplets=200")
SMALL = [option for setting in SETTINGS for option in ("--set", setting)]


def test_another_method_is_the_estimator_with_its_parameters(run, tmp_path):
    code, printed, err = run(
        *(*FIT, "--method", "leace", "--set", "shrinkage=false", "--set", "tolerance=1e-4"),
        *("--set", "covariance_rows=null", "--random-state", "3", "--out", tmp_path / "m"),
    )
    assert (code, err) == (0, "")
    assert printed.startswith(f"model: {tmp_path / 'm'}")
    model = load_model(tmp_path / "m")
    assert model.method == "LEACE"
    assert model.parameters == {
        "covariance_rows": None,
        "shrinkage": False,
        "tolerance": 1e-4,
        "random_state": 3,
    }
    table = read_table("table.parquet")
    eraser = LEACE(covariance_rows=None, shrinkage=False, tolerance=1e-4)
    eraser.fit(table.vectors, sensitive={"gender": table.column("gender")})
    # Block by block, or at once: the last digits of the sums.
    assert model.map(table.vectors) == pytest.approx(eraser.transform(table.vectors), abs=1e-5)


def test_attributes_may_come_from_another_table_for_any_method(run, tmp_path):
    code, printed, _ = run(
        *(*FIT, "--method", "sal", "--where", "split=attack_train", "--json"),
        *("--detector", "table.parquet", "--detector-where", "split=fit", "--out", tmp_path / "m"),
    )
    assert code == 0
    sets = json.loads(printed)["fingerprint"]
    assert (sets["primary"]["rows"], sets["detector"]["rows"]) == (36, 60)


def test_a_label_may_be_kept_instead_of_identities(run, tmp_path):
    fit = (*FIT, "--method", "splince", "--task", "ethnicity", "--out", tmp_path / "m")
    assert run(*fit)[0] == 0
    assert load_model(tmp_path / "m").method == "SPLINCE"


def test_sensitivenet_is_set_like_any_other_method(run, tmp_path):
    code, _, _ = run(
        *(*FIT, "--identity", "subject", "--method", "sensitivenet", *SMALL),
        *("--set", "remine=false"),
        *("--out", tmp_path / "m"),
    )
    assert code == 0
    assert load_model(tmp_path / "m").parameters["remine"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--method", "lace"],
            "no method 'lace'; did you mean 'rlace' or 'leace'? `sensitivenets methods`",
        ),
        (
            ["--method", "leace", "--set", "tolerence=1"],
            "leace: no parameter 'tolerence' to set; did you mean 'tolerance'? it has covari",
        ),
        (["--method", "leace", "--set", "tolerance"], "--set: expected NAME=VALUE, such as"),
        (["--method", "leace", "--set", "tolerance=x"], "tolerance: expected a number"),
        (["--method", "leace", "--set", "device=cpu"], "leace: no parameter 'device' to set"),
        (["--method", "leace", "--set", "random_state=1"], "leace: no parameter 'random_state'"),
        (["--identity", "subject", "--set", "margin=-1"], "margin: expected a number above 0"),
        (
            ["--task", "ethnicity"],
            "--task: sensitivenet with loss=triplet keeps identities; add --set loss=cross_entropy",
        ),
        (
            ["--method", "adapted_transport"],
            "--method adapted_transport: expected a method that labels are enough for; this one is",
        ),
        (
            ["--method", "splince"],
            "--method splince keeps identities or a label: name their column with --identity",
        ),
        (
            ["--method", "splince", "--identity", "subject", "--task", "ethnicity"],
            "expected --identity or --task, what is to be kept, found both; give one",
        ),
    ],
)
def test_what_a_method_cannot_use_is_refused(run, tmp_path, arguments, message):
    code, out, err = run(*FIT, *arguments, "--out", tmp_path / "m")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "m").exists()


def test_values_are_json_or_text():
    settings = ["init=random", "n_components=4", "margin=1e-3"]
    found = estimator_parameters("rlace", settings, 2)
    assert found == {"init": "random", "n_components": 4, "margin": 1e-3, "random_state": 2}


def test_a_budget_prints_the_whole_front(run, monkeypatch, tmp_path):
    monkeypatch.setattr("sensitivenets.tradeoff.budgeted_transport.CANDIDATES", CANDIDATES[:3])
    code, printed, _ = run(
        *(*FIT, "--identity", "subject", "--method", "budgeted_transport"),
        *("--set", "utility_budget=0.3", "--set", "n_pairs=200", "--out", tmp_path / "m"),
    )
    assert code == 0
    points = [line for line in printed.splitlines() if " round" in line or "unchanged" in line]
    assert len(points) == 3 + 1
    assert [line[0] for line in points].count("*") == 1
    assert any("unchanged" in line and " 0.0 %" in line for line in points)


def test_who_is_hidden_and_a_label_kept(run, tmp_path):
    hide = ("fit", "table.parquet", "--remove-identity", "subject", "--out", tmp_path / "m")
    code, _, err = run(*hide, "--task", "gender")
    assert code == 0, err
    model = load_model(tmp_path / "m")
    assert model.method == "IdentitySpan"
    assert list(model.removed) == ["subject"]
    run(
        *("transform", tmp_path / "m", "table.parquet", "--keep", "subject"),
        *("--out", tmp_path / "a.parquet"),
    )
    refit = ("verify", tmp_path / "a.parquet", "--identity", "subject", "--refit")
    code, printed, _ = run(*refit, "--old", "table.parquet")
    assert code == 0
    assert "as they are" in printed
    assert "old table" in printed
    code, printed, _ = run(*refit, "--json")
    found = json.loads(printed)
    assert (code, found["n_known"] + found["n_attacked"]) == (0, 120)
    assert {one["linkage"] for one in found["attempts"]} == {False}
    code, _, err = run("verify", "table.parquet", "--refit")
    assert (code, "--refit: expected --identity with it" in err) == (2, True)
    for more, message in (
        ((), "--remove-identity: expected --task with it"),
        (("--task", "gender", "--remove", "gender"), "and --remove asks for something else"),
        (("--task", "gender", "--identity", "subject"), "and --identity asks for something else"),
    ):
        code, _, err = run(*hide, *more)
        assert (code, message in err) == (2, True), err
    code, _, err = run("fit", "table.parquet", "--out", tmp_path / "m2")
    assert (code, "expected --remove or --remove-identity" in err) == (2, True)


def test_a_table_without_labels_may_stand_beside(run, tmp_path):
    beside = ("--where", "split=fit", "--unlabelled", "table.parquet")
    code, printed, _ = run(*(
        *FIT,
        *beside,
        "--method",
        "routed_transport",
        "--json",
        "--out",
        tmp_path / "m",
    ))
    assert code == 0
    sets = json.loads(printed)["fingerprint"]
    assert (sets["primary"]["rows"], sets["unlabelled"]["rows"]) == (60, 120)
    code, _, err = run(*(*FIT, *beside, "--method", "leace", "--out", tmp_path / "n"))
    assert code == 2
    assert "unlabelled: LEACE learns nothing from rows without labels" in err


def test_what_a_costly_fit_takes_is_said_before(run, tmp_path, monkeypatch):
    monkeypatch.setattr("sensitivenets.cli.fit_cost._LONGEST", 0)
    monkeypatch.setattr("sensitivenets.erasers.transport.cost._SMALL", 0)
    monkeypatch.setattr("sensitivenets.erasers.transport.cost._speeds", lambda: (1.0, 1e9))
    settings = ("--method", "routed_transport", "--set", "n_rounds=1")
    code, _, err = run(*FIT, *settings, "--out", tmp_path / "m")
    assert code == 0
    assert "fit: about" in err
    assert "hours of processor time beside reading: n_rounds=1, 2 groups, 120 rows of 64" in err
