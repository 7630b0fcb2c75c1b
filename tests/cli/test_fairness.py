"""``sensitivenets fairness`` on a table where half of a group's advantage is known."""

import json

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets.embeddings import EmbeddingTable, write_table
from sensitivenets.fairness import EqualityOfOpportunity


@pytest.fixture
def biased(tmp_path):
    """Write x, where gender is one coordinate and a weak task another, and x without gender."""
    rng = np.random.default_rng(0)
    n = 1200
    gender, task = rng.integers(0, 2, (2, n))
    X = rng.standard_normal((n, 6)).astype(np.float32)
    X[:, 0] += 5 * gender
    X[:, 1] += 1.5 * task
    columns = pa.table({
        "subject": np.arange(n),
        "gender": np.array(["Female", "Male"])[gender],
        "city": np.array(["A", "B"])[np.arange(n) % 2],
        "hired": np.array(["no", "yes"])[task],
    })
    without = X.copy()
    without[:, 0] = rng.standard_normal(n)
    for name, vectors in (("x", X), ("phi", without)):
        write_table(EmbeddingTable(vectors, columns), tmp_path / f"{name}.parquet")
    return tmp_path


def options(*more):
    return ("--target", "hired", "--sensitive", "gender", "--identity", "subject", *more)


def test_fairness_shows_the_gap_before_and_after(run, biased):
    before, after = biased / "x.parquet", biased / "phi.parquet"
    code, out, err = run("fairness", before, after, *options("--n-seeds", "2"))
    assert code == 0
    assert "gap Female - Male" in out or "gap Male - Female" in out
    assert "Traceback" not in err
    code, out, _ = run("fairness", before, after, *options("--n-seeds", "2", "--json"))
    assert code == 0
    found = json.loads(out)
    assert found["before"]["absolute_gap"]["value"] > 0.15
    assert found["after"]["absolute_gap"]["value"] < 0.1
    assert found["absolute_gap_reduction"]["value"] > 0.1


def test_fairness_works_on_one_table(run, biased):
    code, out, _ = run("fairness", biased / "x.parquet", *options("--n-seeds", "2", "--json"))
    assert code == 0
    assert json.loads(out)["after"] is None


def test_decisions_and_rules_stand_beside_the_representations(run, biased, tmp_path):
    before, after = biased / "x.parquet", biased / "phi.parquet"
    asked = options("--n-seeds", "2", "--decision", "two_naive_bayes", "--context", "city")
    code, out, _ = run("fairness", before, after, *asked)
    assert code == 0
    assert out.count("two_naive_bayes") == 2
    assert "before: 3 of 3 contexts in which gender = " in out
    assert "after: 0 of 3 contexts" in out
    code, out, _ = run("fairness", before, after, *asked, "--json")
    assert code == 0
    found = json.loads(out)
    assert [one["representation"] for one in found["decisions"]] == ["before", "after"]
    assert all(one["asks_group"] for one in found["decisions"])
    assert set(found["rules"]) == {"before", "after"}
    assert json.loads(json.dumps(EqualityOfOpportunity.from_dict(found).to_dict())) == found


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--decision", "coin"), "error: decision: expected one of group_blind, "),
        (("--context", "town"), "no column 'town'"),
        (("--n-seeds", "1"), "error: --n-seeds: expected at least 2, found 1"),
        (("--positive", "maybe"), "'maybe'"),
    ],
)
def test_fairness_refuses_in_one_line(run, biased, more, message):
    code, out, err = run("fairness", biased / "x.parquet", *options(*more))
    assert (code, out) == (2, "")
    assert message in err
    assert len(err.strip().splitlines()) == 1
