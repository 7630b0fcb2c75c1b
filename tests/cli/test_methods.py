import json
from pathlib import Path

import pytest

from sensitivenets.benchmark.method_facts import facts_of
from sensitivenets.benchmark.methods import METHODS

MEASURED = Path(__file__).parents[2] / "docs" / "leaderboard" / "leaderboard.json"


def test_every_method_is_listed_with_what_it_promises_and_costs(run):
    code, printed, err = run("methods")
    assert (code, err) == (0, "")
    listed = [line.partition(":")[0] for line in printed.splitlines() if line[0] != " "]
    assert listed[: len(METHODS)] == list(METHODS)
    assert printed.count("    costs: ") == printed.count("    --set: ") == len(METHODS)
    assert "leace: Remove every linear trace of the attributes with the smallest edit" in printed
    assert "    needs: torch, identities or a label (--identity, --task)" in printed


def test_as_json(run):
    found = json.loads(run("methods", "--json")[1])["methods"]
    assert [one["name"] for one in found] == list(METHODS)
    assert all(one["promise"].endswith(".") and one["cost"] for one in found)
    by_name = {one["name"]: one for one in found}
    assert by_name["routed_transport"]["parameters"]["n_rounds"] == 3
    assert by_name["splince"]["needs"] == ["a label of few classes (--task)"]
    assert not any("random_state" in one["parameters"] for one in found)


def test_one_method_with_all_that_is_written_of_it(run):
    code, printed, _ = run("methods", "leace")
    assert code == 0
    assert "Belrose et al." in printed
    assert "sal: " not in printed


def test_a_class_of_your_own(run):
    code, printed, _ = run("methods", "sensitivenets.erasers.linear.sal:SAL")
    assert code == 0
    assert printed.startswith("sensitivenets.erasers.linear.sal:SAL: Project out the directions")
    assert "    costs: " not in printed


@pytest.mark.parametrize("name", METHODS)
def test_the_promise_is_a_line(name):
    assert 20 < len(facts_of(name).promise) < 100


def test_the_times_are_those_that_were_measured():
    seconds = {}
    for entry in json.loads(MEASURED.read_text())["entries"]:
        seconds.setdefault(entry["method"], []).append(entry["fit_seconds"])
    assert len(seconds) > 20
    for name, found in seconds.items():
        slowest = max(found)
        said = "seconds" if slowest < 5 else "a minute or two" if slowest < 150 else "minutes"
        assert METHODS[name].cost.startswith(f"{said};"), (name, slowest)
