import json

import pytest

from sensitivenets.benchmark.methods import METHODS, check_parameters, method_named
from sensitivenets.benchmark.plan import Run, label, need_a_task, plan_runs, read_grid
from sensitivenets.errors import InputError


def test_runs_are_methods_times_parameters_times_seeds_and_none_twice():
    grid = {"ive": [{"removed": 0.1}, {"removed": 0.2}]}
    runs = plan_runs(["ive", "leace", "ive"], [3, 5, 3], grid)
    assert [str(run) for run in runs] == [
        f"{name}, seed {seed}"
        for seed in (3, 5)
        for name in ("ive (removed=0.1)", "ive (removed=0.2)", "leace")
    ]


def test_all_is_every_method_with_the_points_of_its_own_grid():
    runs = plan_runs(["all"], [0], has_task=True)
    assert {run.method for run in runs} == set(METHODS)
    assert len(runs) == sum(len(method.grid) for method in METHODS.values())


def test_without_a_task_all_is_every_method_that_can_keep_identities():
    runs = plan_runs(["all"], [0])
    with_a_task = ["splince", "identity_span", "identity_transport"]
    assert {run.method for run in runs} == set(METHODS) - set(with_a_task)
    assert need_a_task() == with_a_task


@pytest.mark.parametrize("name", METHODS)
def test_every_method_can_be_imported_and_has_the_parameters_of_its_grid(name):
    method = METHODS[name]
    assert method.load().__name__ == method.name
    for parameters in method.grid:
        check_parameters(name, parameters)
        json.dumps(parameters)


def test_the_key_tells_runs_apart_and_does_not_change():
    run = Run("ive", {"removed": 0.5, "n_trees": 10}, 0)
    others = [
        Run("multi_ive", run.parameters, 0),
        Run("ive", {"removed": 0.25, "n_trees": 10}, 0),
        Run("ive", run.parameters, 1),
    ]
    assert len({one.key("a") for one in [run, *others]} | {run.key("b")}) == 5
    assert Run("ive", {"n_trees": 10, "removed": 0.5}, 0).key("a") == run.key("a")
    # Written down: records of one release are taken up by that release.
    assert run.key("a") == "0e4a1c9872a5085dc39a8b4c"


def test_labels_say_what_is_set():
    assert label("leace", {}) == "leace"
    assert label("x", {"a": 0.5, "b": "c", "d": None}) == "x (a=0.5, b=c, d=null)"


@pytest.mark.parametrize(
    ("methods", "grid", "message"),
    [
        (
            ["laece"],
            {},
            "no method 'laece'; did you mean 'rlace' or 'leace'.* `sensitivenets methods`",
        ),
        (["leace"], {"sal": [{}]}, "grid: 'sal' is not among the methods to run: leace; add it"),
        (["leace"], {"leace": [{"x": 1}]}, "leace: no parameter 'x' to set; it has covariance"),
        (["leace"], {"leace": [{"random_state": 1}]}, "no parameter 'random_state' to set"),
        (["no_such:Class"], {}, "method no_such:Class: cannot be imported: No module named"),
        (["json:Missing"], {}, "method json:Missing: cannot be imported: module 'json' has no"),
        (["json:JSONDecoder"], {}, "expected an estimator like Eraser, it has no fit"),
        (["leace", "splince"], {}, "splince keeps a label of few classes and no identities: name"),
        ([], {}, "expected a method and a seed, found nothing to run"),
    ],
)
def test_what_cannot_be_run_is_refused(methods, grid, message):
    with pytest.raises(InputError, match=message):
        plan_runs(methods, [0], grid)


def test_a_grid_is_combinations_or_single_points(tmp_path):
    path = tmp_path / "grid.json"
    grid = {"a": {"x": [1, 2], "y": [3, 4]}, "b": [{"x": 1}, {"y": [2, 3], "z": "t"}], "c": {}}
    path.write_text(json.dumps(grid))
    assert read_grid(path) == {
        "a": [{"x": 1, "y": 3}, {"x": 1, "y": 4}, {"x": 2, "y": 3}, {"x": 2, "y": 4}],
        "b": [{"x": 1}, {"y": 2, "z": "t"}, {"y": 3, "z": "t"}],
        "c": [{}],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "grid.json: no such file"),
        ("{", 'expected JSON, such as {"ive"'),
        ("[]", "expected an object of methods"),
        ('{"a": 3}', "'a': expected an object of parameters, or a list of them; found 3"),
        ('{"a": []}', "'a': expected an object of parameters, or a list of them"),
        ('{"a": {"x": []}}', "'a': expected a value for each parameter, found none"),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path, text, message):
    path = tmp_path / "grid.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_grid(path)
    assert message in str(caught.value)


def test_a_class_of_ones_own_is_a_method():
    method = method_named("sensitivenets.erasers.linear.leace:LEACE")
    assert method.load() is METHODS["leace"].load()
