"""``--domain``: each source of rows has groups of its own."""

import pytest

from sensitivenets import load_model, synthetic_diveface, write_table


@pytest.fixture(scope="module")
def of_splits(tmp_path_factory):
    place = tmp_path_factory.mktemp("splits") / "table.parquet"
    write_table(
        synthetic_diveface(n_subjects=300, images_per_subject=3, dim=32, random_state=0), place
    )
    return place


def test_groups_of_a_fit_are_crossed_with_the_source(run, of_splits, tmp_path):
    options = ("--remove", "gender", "--domain", "split", "--method", "routed_transport")
    code, _, err = run("fit", of_splits, *options, "--out", tmp_path / "m")
    assert code == 0, err
    model = load_model(tmp_path / "m")
    assert set(model.removed) == {"gender", "split"}
    n_groups = len(model.removed["gender"]) * len(model.removed["split"])
    assert len(model.curve[0]["forecast"]["rows"]) == n_groups


def test_a_table_is_adapted_to_source_by_source(run, of_splits, tmp_path):
    fitted = ("--remove", "gender", "--method", "routed_transport", "--out", tmp_path / "m")
    assert run("fit", of_splits, *fitted)[0] == 0
    adapted = ("adapt", tmp_path / "m", of_splits, "--domain", "split", "--out", tmp_path / "own")
    code, printed, err = run(*adapted)
    assert code == 0, err
    for source in ("attack_test", "attack_train", "fit"):
        assert f"{source} 1" in printed
        assert f"{source} 2" in printed
    record = load_model(tmp_path / "own").curve[0]["adapted"]
    assert record["sources"] == ["attack_test", "attack_train", "fit"]
    assert sum(record["rows"]) == 900
