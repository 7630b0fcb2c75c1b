import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import read_table, write_table

AUDIT = ("audit", "table.parquet", "--out", "new")
FIT = ("fit", "table.parquet", "--out", "new", "--method", "leace")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frobnicate"], "no command 'frobnicate'; the commands are adapt, annotate, audit"),
        (["transfrom"], "no command 'transfrom'; did you mean 'transform'? the commands are adapt"),
        (
            ["key", "nwe"],
            "no command 'nwe'; did you mean 'new'? the commands are new, rot",
        ),
        ([*AUDIT, "--remove", "gender"], "no option --remove; audit takes --attribute for that"),
        ([*AUDIT, "--remove=gender"], "no option --remove; audit takes --attribute for that"),
        ([*FIT, "--sensitive", "gender"], "no option --sensitive; fit takes --attribute for that"),
        ([*FIT, "--remove", "gender", "--force"], "no option --force; fit takes --overwrite for"),
        (["verify", "table.parquet", "--subject", "subject"], "verify takes --identity for that"),
        (
            ["info", "table.parquet", "--embeding", "e"],
            "did you mean --embedding? `sensi",
        ),
        (
            ["info", "table.parquet", "--colour", "red"],
            "no option --colour; `sensitivenets info",
        ),
        (
            [*FIT, "--remove", "gender", "ethnicity"],
            "no option takes 'ethnicity'; an option is given once for each value",
        ),
        (
            [*FIT, "--remove", "gendr"],
            "no column 'gendr'; did you mean 'gender'? its labe",
        ),
        ([*FIT, "--remove", "gender", "--where", "gender=male"], "did you mean 'Male'? its values"),
        (
            ["methods", "Routed_Transprt"],
            "did you mean 'routed_transport' or 'cod",
        ),
        (
            ["fit", "nowhere.parquet", "--remove", "gender", "--out", "new"],
            "nowhere.parquet: no su",
        ),
        (["audit", "nowhere", "--attribute", "gender", "--out", "new"], "nowhere: no such file"),
        (
            ["verify", "model"],
            "model: this is a model folder; expected a table",
        ),
        (["transform", "model", "model", "--out", "new.parquet"], "model: this is a model folder"),
        (["adapt", "table.parquet", "model", "--out", "new"], "in a command the model comes first"),
        (
            [*AUDIT, "--attribute", "age", "--quick"],
            "120 different numbers; is it a number, s",
        ),
        (
            [*FIT, "--remove", "age"],
            "--remove age: expected a few groups, found 120",
        ),
        (
            [*FIT, "--remove", "subject"],
            "60 different values in 120 rows; is it an id",
        ),
        (
            ["verify", "table.parquet", "--identity", "subject", "--memory-limit", "1"],
            "raise memory_limit (verify --memory-limit)",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_words_that_help(run, aged, folder, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    # One line, and not one that lists every class.
    assert err.count("\n") == 1
    assert len(err) < 400


@pytest.fixture
def aged(place):
    """The table of the place has a number too, different in each row."""
    table = read_table(place / "table.parquet")
    if "age" not in table.columns.column_names:
        age = pa.array(np.arange(len(table)))
        columns = table.columns.append_column("age", age)
        write_table(dataclasses.replace(table, columns=columns), place / "table.parquet")


def test_what_a_model_made_is_not_given_to_it_again(run, folder, tmp_path):
    once, twice = tmp_path / "once.parquet", tmp_path / "twice.parquet"
    assert run("transform", folder, "table.parquet", "--out", once)[0] == 0
    assert run("key", "new", tmp_path / "k")[0] == 0
    for command in (
        ("transform", folder, once, "--out", twice),
        ("encode", once, "--model", folder, "--key", tmp_path / "k", "--out", twice),
        ("adapt", folder, once, "--out", tmp_path / "p"),
        ("protect", once, "--reference", folder, "--remove", "gender", "--out", tmp_path / "p"),
    ):
        code, _, err = run(*command)
        assert code == 2
        assert "found its own output; give the table that this one was made from" in err
    assert not twice.exists()
