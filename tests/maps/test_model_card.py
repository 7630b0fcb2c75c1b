import dataclasses
import json

import pytest

from sensitivenets.maps.model_folder import load_model, save_model


@pytest.fixture
def folder(tmp_path, model):
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def test_the_card_says_what_was_removed_and_what_is_not_guaranteed(folder):
    card = (folder / "README.md").read_text()
    front_matter = card.split("---\n")[1]
    assert "library_name: sensitivenets" in front_matter
    assert 'sensitive_attributes: ["gender", "ethnicity"]' in front_matter
    assert "| ethnicity | Group 1, Group 2, Group 3 |" in card
    assert "## What is not guaranteed" in card
    assert "from embeddings of 4 features to embeddings of 3 features" in card
    assert "| margin | 0.2 |" in card
    assert "| X, rows | 12 |" in card
    assert "The last of 2 records" in card
    assert "anonym" not in card.lower()
    assert "$" not in card


def test_labels_cannot_break_the_card(model, tmp_path):
    hostile = {'a: "b"\n---\n| x': ("<script>alert(1)</script>", "$method `rm`")}
    save_model(dataclasses.replace(model, removed=hostile), tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text()
    assert card.count("\n---\n") == 1
    assert json.loads(card.split("sensitive_attributes: ")[1].split("\n")[0]) == list(hostile)
    assert "<script>" not in card.split("---\n", 2)[2].replace("\\<", "")
    assert load_model(tmp_path / "m").removed == hostile


def test_a_model_with_nothing_recorded_has_a_card(model, tmp_path):
    bare = dataclasses.replace(model, parameters={}, removed={}, fingerprint={}, curve=())
    save_model(bare, tmp_path / "m")
    card = (tmp_path / "m" / "README.md").read_text()
    assert "Not recorded." in card
    assert "No training curve was kept." in card
