"""One idea, one option: the same name, the same default, in every command that has it."""

import dataclasses
import json

import pyarrow as pa
import pytest

from sensitivenets.cli.app import make_app
from sensitivenets.embeddings import read_table, write_table


def commands(app=None, name=""):
    """Every command, and those below them, with its arguments."""
    app = make_app() if app is None else app
    for word in app:
        if word.startswith("-"):
            continue
        if app[word].default_command is None:
            yield from commands(app[word], f"{name}{word} ")
        else:
            yield f"{name}{word}", list(app[word].assemble_argument_collection())


COMMANDS = dict(commands())


def having(option):
    return {name for name, found in COMMANDS.items() if any(option in one.names for one in found)}


def test_the_whole_audit_is_the_default_wherever_there_is_a_choice():
    assert having("--quick") == having("--full") == {"audit", "protect", "benchmark"}
    for name in having("--quick"):
        (found,) = [one for one in COMMANDS[name] if "--quick" in one.names]
        assert found.field_info.default is False


def test_what_writes_can_be_told_to_overwrite():
    # A key is never overwritten; a benchmark goes on where it was.
    assert having("--out") - having("--overwrite") == {"key rotate", "benchmark"}


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("--attribute", ("fit", "protect", "audit", "verify", "fairness", "benchmark", "annotate")),
        ("--remove", ("fit", "protect")),
        ("--identity", ("fit", "adapt", "protect", "audit", "verify", "fairness", "benchmark")),
        ("--image", ("verify", "benchmark", "annotate", "dataset", "diveface read")),
    ],
)
def test_one_idea_has_one_name(option, names):
    assert set(names) <= having(option)


def test_help_has_the_commands_in_groups_and_three_examples_each(run):
    _, out, _ = run("--help")
    places = [out.index(word) for word in ("Photographs", "Protect", "Prove", "Tools", "│ info ")]
    assert places == sorted(places)
    assert out.index("│ fit ") < out.index("│ transform ")
    for command in COMMANDS:
        _, out, _ = run(*command.split(), "--help")
        examples = out.partition("Examples:")[2]
        assert examples.count(f" sensitivenets {command}") == 3
        # As a shell takes them: no line is broken where there is no backslash.
        assert all(
            line.startswith((" sensitivenets", "     "))
            for line in examples.splitlines()
            if line.strip()
        )


def test_a_report_is_replaced_only_if_asked_to(run, tmp_path):
    command = ("audit", "table.parquet", "--attribute", "gender", "--quick", "--no-curves")
    options = ("--n-jobs", "1", "--json", "--out", tmp_path / "r")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "audit.json").write_text("{}")
    code, _, err = run(*command, *options)
    assert (code, (tmp_path / "r" / "audit.json").read_text()) == (2, "{}")
    assert "a report is already there; choose another or add --overwrite" in err
    assert run(*command, *options, "--overwrite")[0] == 0
    assert json.loads((tmp_path / "r" / "audit.json").read_text())["mode"] == "quick"


def test_pairs_of_lfw_by_any_columns(run, place, tmp_path):
    table = read_table("table.parquet")
    who = table.column("subject").to_pylist()
    columns = pa.table({"who": who, "number": [1 + k % 2 for k in range(len(table))]})
    write_table(dataclasses.replace(table, columns=columns), tmp_path / "t.parquet")
    genuine = [f"{who[2 * k]}\t1\t2" for k in range(20)]
    impostor = [f"{who[2 * k]}\t1\t{who[2 * k + 2]}\t1" for k in range(20)]
    (tmp_path / "pairs.txt").write_text("\n".join(["20", *genuine, *impostor]))
    command = ("verify", tmp_path / "t.parquet", "--pairs", tmp_path / "pairs.txt", "--json")
    code, printed, err = run(*command, "--identity", "who", "--image", "number")
    assert code == 0, err
    assert (json.loads(printed)["n_genuine"], json.loads(printed)["n_impostor"]) == (20, 20)
    code, _, err = run(*command, "--identity", "who")
    assert code == 2
    assert "no column 'image'" in err
