import dataclasses
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sensitivenets.benchmark import plan
from sensitivenets.benchmark import runs as benchmark
from sensitivenets.benchmark.measure import run_once
from sensitivenets.benchmark.methods import METHODS
from sensitivenets.benchmark.record import save_record
from sensitivenets.cli.benchmark_options import RunOptions
from sensitivenets.embeddings import read_table, write_table
from sensitivenets.engines.ray_cluster import RayCluster

SPLIT = ("--where", "split=fit", "--train", "split=attack_train", "--test", "split=attack_test")
TABLE = ("benchmark", "table.parquet", "--quick", "--attribute", "gender", "--identity", "subject")


@pytest.fixture
def here(monkeypatch):
    """Runs in this process, which is faster; real processes have tests of their own."""
    seen = []

    def run_all(inputs, runs, settings, context, records, *, limits, finished):
        for run in runs:
            seen.append((inputs, run, settings, limits))
            save_record(run_once(inputs, run, settings, context), records)
            finished(run)

    monkeypatch.setattr(benchmark, "run_all", run_all)
    return seen


def test_from_a_table_to_a_leaderboard(run, here, tmp_path):
    grid = tmp_path / "grid.json"
    grid.write_text('{"random_projection": {"n_components": [2, 16]}}')
    code, printed, err = run(
        *(*TABLE, *SPLIT, "--methods", "none", "--methods", "random_projection"),
        *("--attribute", "ethnicity", "--grid", grid, "--seed", "0", "--seed", "1"),
        *("--out", tmp_path / "out"),
    )
    assert (code, err.strip()) == (0, "")
    lines = printed.splitlines()
    assert "gender" in lines[0]
    assert "1 - EER, all pairs" in lines[0]
    labels = {line.split("  ")[0] for line in lines[1:4]}
    assert labels == {"none"} | {f"random_projection (n_components={n})" for n in (2, 16)}
    assert lines[-1] == f"open: {tmp_path / 'out' / 'index.html'}"
    assert len(list((tmp_path / "out" / "runs").iterdir())) == 6
    board = json.loads((tmp_path / "out" / "leaderboard.json").read_text())
    assert board["attributes"] == ["gender", "ethnicity"]
    assert all(entry["seeds"] == [0, 1] for entry in board["entries"])
    assert len(pq.read_table(tmp_path / "out" / "results.parquet")) > 6
    assert (tmp_path / "out" / "pictures" / "gender-1-eer-all-pairs.svg").exists()
    # The same again runs nothing, and gives the same.
    n_runs = len(here)
    again = run(
        *(*TABLE, *SPLIT, "--methods", "none,random_projection", "--attribute", "ethnicity"),
        *("--grid", grid, "--seed", "0", "--seed", "1", "--out", tmp_path / "out", "--json"),
        *("--about", "drawn rows"),
    )
    assert again[0] == 0
    assert "6 of 6 runs were finished before" in again[2]
    assert len(here) == n_runs
    assert json.loads(again[1]) == board | {"facts": board["facts"] | {"about": "drawn rows"}}
    assert "<dd>drawn rows</dd>" in (tmp_path / "out" / "index.html").read_text()


def test_a_task_is_kept_by_the_methods_that_keep_one(run, here, tmp_path):
    code, _, err = run(
        *(*TABLE, *SPLIT, "--methods", "none,splince", "--task", "ethnicity"),
        *("--out", tmp_path / "out"),
    )
    assert (code, err.strip()) == (0, "")
    board = json.loads((tmp_path / "out" / "leaderboard.json").read_text())
    assert board["failures"] == []
    assert {entry["method"] for entry in board["entries"]} == {"none", "splince"}
    assert here[0][0].fitting.task.classes == ("Group 1", "Group 2", "Group 3")
    assert here[0][0].fitting.target.name == "subject"


def test_what_all_leaves_out_is_said(run, here, tmp_path, monkeypatch):
    chosen = {name: METHODS[name] for name in ("none", "splince")}
    monkeypatch.setattr(plan, "METHODS", chosen)
    code, _, err = run(*TABLE, *SPLIT, "--out", tmp_path / "out")
    assert code == 0
    assert "left out: splince: keeps a label, which --task names" in err
    assert [run.method for _, run, *_ in here] == ["none"]


def test_training_rows_that_look_like_an_attacked_one_are_left_out(run, here, tmp_path):
    command = (*TABLE, *SPLIT, "--methods", "none", "--json")
    whole, apart = (
        json.loads(run(*command, *more, "--out", tmp_path / name)[1])["facts"]["data"]["attack"]
        for name, more in (("whole", ()), ("apart", ("--apart", "0.3")))
    )
    assert apart["test"] == whole["test"]
    assert 0 < apart["train"] < whole["train"]
    code, _, err = run(*command, "--apart", "-1", "--out", tmp_path / "refused")
    assert (code, "--apart: cosine: expected" in err) == (2, True), err


def test_other_settings_are_another_benchmark(run, here, tmp_path):
    command = (*TABLE, *SPLIT, "--methods", "none", "--out", tmp_path / "out", "--json")
    first = json.loads(run(*command)[1])
    code, printed, err = run(*command, "--random-state", "1")
    assert code == 0
    assert "1 records of other data, settings or versions: left out" in err
    assert len(json.loads(printed)["entries"]) == 1
    assert json.loads(printed)["facts"]["context"] != first["facts"]["context"]


def test_tables_of_their_own_to_learn_attributes_to_attack_and_to_verify(run, here, tmp_path):
    table = read_table("table.parquet")
    bare = table.where("split", "fit")
    bare = dataclasses.replace(bare, columns=bare.columns.select(["subject"]))
    write_table(bare, tmp_path / "bare.parquet")
    code, _, err = run(
        *("benchmark", tmp_path / "bare.parquet", "--quick", "--attribute", "gender"),
        *("--identity", "subject"),
        *("--detector", "table.parquet", "--detector-where", "split=fit"),
        *("--attack", "table.parquet", "--train", "split=attack_train"),
        *("--test", "split=attack_test", "--verification", "table.parquet"),
        *("--pairs", "named.parquet", "--protocol", "view2", "--methods", "leace"),
        *("--out", tmp_path / "out"),
    )
    assert (code, err.strip()) == (0, "")
    inputs = here[0][0]
    assert len(inputs.fitting.X) == len(inputs.fitting.X_sensitive) == 60
    assert inputs.fitting.target.name == "subject"
    assert (len(inputs.attacking.split.train), len(inputs.attacking.split.test)) == (36, 24)
    assert len(inputs.attacking.X) == 60
    assert list(inputs.verifying.pairs) == ["view2"]
    board = json.loads((tmp_path / "out" / "leaderboard.json").read_text())
    assert board["utilities"][0] == "accuracy, view2"
    assert "were not attacked: add the method 'none'" in board["reasons"][0]


def test_without_a_split_nobody_is_on_two_sides(run, here, tmp_path):
    assert run(*TABLE, "--methods", "none", "--out", tmp_path / "out")[0] == 0
    inputs, _, settings, limits = here[0]
    fitted = set(inputs.fitting.target.classes)
    split, groups = inputs.attacking.split, inputs.attacking.split.groups
    attacked = ({groups.classes[k] for k in groups.codes[s]} for s in (split.train, split.test))
    sides = [fitted, *attacked]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 60
    assert len(fitted) == 30
    assert (settings.full, limits.n_jobs) == (False, 2)


def test_who_does_the_runs(tmp_path):
    def work(**options):
        return RunOptions(out=tmp_path, n_jobs=4, **options).work

    assert (work().processes, work().make()) == (4, None)
    assert (work(engine="process").processes, work(engine="process").make()) == (1, None)
    assert work(engine="ray", ray_address="head:6379").make() == RayCluster("head:6379")


def test_the_page_is_left_out_where_it_cannot_be_drawn(run, here, tmp_path, monkeypatch):
    from importlib import util

    find_spec = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda n: None if n == "jinja2" else find_spec(n))
    code, printed, err = run(*TABLE, "--methods", "none", "--out", tmp_path / "out")
    assert code == 0
    assert "no index.html: it needs jinja2; pip install 'sensitivenets[report]'" in err
    assert printed.splitlines()[-1] == f"open: {tmp_path / 'out' / 'leaderboard.json'}"


def test_failures_are_printed_and_nothing_is_drawn_of_them(run, here, tmp_path):
    grid = tmp_path / "grid.json"
    grid.write_text('{"leace": {"tolerance": -1}}')
    code, printed, _ = run(*(
        *TABLE,
        "--methods",
        "leace",
        "--grid",
        grid,
        "--out",
        tmp_path / "out",
    ))
    assert code == 0
    assert "failed: leace (tolerance=-1), seed 0: InputError: tolerance: expected" in printed
    assert not (tmp_path / "out" / "index.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "laece"], "no method 'laece'; did you mean"),
        (["--detector-where", "split=fit"], "--detector-where: expected --detector with it"),
        (["--train", "split=fit"], "expected --train and --test together"),
        (["--pairs", "pairs.parquet"], "--pairs: expected --verification, the table whose rows"),
        (["--protocol", "view2"], "--protocol is for given pairs: add --pairs"),
        (
            ["--verification", "table.parquet"],
            "--verification: expected --pairs or --verification-identity with it",
        ),
        (["--attack-identity", "subject"], "--attack-identity: expected --attack with it"),
        (["--where", "split=fit"], "--where: expected --train and --test with it, or --attack"),
        (SPLIT[2:], "--train and --test: expected --where with them, such as --where split=fit"),
        (
            ["--where", "split=fit", "--train", "split=fit", "--test", "split=attack_test"],
            "is among the rows to fit on and those to attack (30 such)",
        ),
        (["--attribute", "subject"], "--attribute subject: the identity is kept; name another"),
        (
            ["--verification", "table.parquet", "--pairs", "named.parquet"],
            "holds the protocols 'other', 'view2'; choose one of them",
        ),
        (["--methods", "splince"], "splince keeps a label of few classes and no identities: name"),
        (["--task", "gender"], "--task gender: expected a label that is neither removed nor the"),
        (["--task", "subject"], "--task subject: expected a label that is neither removed nor the"),
        (["--n-jobs", "0"], "--n-jobs: expected at least 1, found 0"),
        (["--time-limit", "0"], "--time-limit: expected seconds above 0, found 0"),
        (["--grid", "missing.json"], "missing.json: no such file"),
    ],
)
def test_what_cannot_be_run_is_refused_before_any_run(run, here, tmp_path, arguments, message):
    code, out, err = run(*TABLE, *arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.splitlines()) == 1
    assert (here, (tmp_path / "out").exists()) == ([], False)


def test_without_identities_something_must_say_what_is_kept(run, here, tmp_path):
    code, _, err = run(
        *("benchmark", "table.parquet", "--attribute", "gender", "--out", tmp_path / "out"),
    )
    assert code == 2
    assert "nothing says what is kept, and leakage without utility says nothing" in err
    pairs = pa.table({"left": [0, 1, 2, 0], "right": [1, 0, 3, 2], "same": [1, 1, 1, 0]})
    pq.write_table(pairs, tmp_path / "p.parquet")
    code, _, _ = run(
        *("benchmark", "table.parquet", "--attribute", "gender", "--out", tmp_path / "out"),
        *("--verification", "table.parquet", "--pairs", tmp_path / "p.parquet"),
        *("--methods", "none"),
    )
    assert code == 0
