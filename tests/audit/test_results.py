import dataclasses
import json

import numpy as np
import pytest

from sensitivenets.audit import Split, quick_audit
from sensitivenets.embeddings import encode
from sensitivenets.errors import InputError
from sensitivenets.report import AuditRecord, from_json, load_json, save_json, to_json


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=160)
    X = rng.standard_normal((160, 4))
    X[:, 0] += 2 * y
    split = Split(np.arange(120), np.arange(120, 160))
    return quick_audit(X, X[:, 1:], {"gender": encode("gender", y)}, split=split, n_jobs=1)


def test_json_round_trip_is_exact(result, tmp_path):
    assert from_json(to_json(result)) == AuditRecord.of(result)
    save_json(result, tmp_path / "audit.json")
    assert load_json(tmp_path / "audit.json") == AuditRecord.of(result)


def test_every_attacker_carries_balanced_accuracy_in_the_unit_interval(result):
    document = json.loads(to_json(result))
    gender = document["attributes"][0]
    figures = [a["balanced_accuracy"] for a in gender["before"]["attackers"]]
    figures += [a["balanced_accuracy"] for a in gender["after"]["attackers"]]
    figures.append(gender["strongest"]["balanced_accuracy"])
    assert len(figures) == 11  # majority class, NN, SVM, RF and ensemble, twice, and the headline
    assert all(0 <= figure <= 1 for figure in figures)


def test_a_file_of_version_1_that_calls_the_voting_ensemble_a_committee_is_renamed(result):
    old = to_json(result).replace('"voting ensemble"', '"committee"')
    old = old.replace('"schema_version": 4', '"schema_version": 1')
    read, known = from_json(old).attributes[0].before, result.attributes[0].before
    assert (read.attackers, read.strongest) == (known.attackers, known.strongest)


def test_an_undefined_figure_is_null(result):
    broken = dataclasses.replace(
        result.collapse_before, effective_rank=float("nan"), rank=np.int64(3)
    )
    document = json.loads(to_json(dataclasses.replace(result, collapse_before=broken)))
    assert document["collapse_before"]["effective_rank"] is None
    assert document["collapse_before"]["rank"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "audit: expected JSON"),
        ("[1]", "expected an object with schema_version"),
        ('{"schema_version": 99}', "expected schema_version up to 4, found 99"),
        ('{"schema_version": 2}', r"audit: expected the fields of AuditResult, but it lacks \["),
    ],
)
def test_foreign_documents_are_refused_with_the_reason(text, message):
    with pytest.raises(InputError, match=message):
        from_json(text)


def test_a_misspelt_or_mistyped_field_is_named(result):
    document = json.loads(to_json(result))
    document["attributes"][0]["strongest"]["low"] = "much"
    with pytest.raises(
        InputError, match=r"audit.attributes\[0\].strongest.low: expected a finite number"
    ):
        from_json(json.dumps(document))
    document = json.loads(to_json(result))
    document["collapse_before"]["ranc"] = document["collapse_before"].pop("rank")
    with pytest.raises(InputError, match=r"collapse_before: .* lacks \['rank'\] and has unknown"):
        from_json(json.dumps(document))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.json: expected an audit\.json"):
        load_json(tmp_path / "none.json")
