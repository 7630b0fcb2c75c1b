"""What is done to a table is chosen where labels are known, by people who are not in it."""

import json
import sys
import warnings
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from sensitivenets import protect
from sensitivenets.embeddings import EmbeddingTable, encode
from sensitivenets.errors import InputError
from sensitivenets.maps.model_folder import load_model, save_model
from sensitivenets.tradeoff import rehearsal
from sensitivenets.tradeoff.budgeted_transport import BudgetedTransport
from sensitivenets.tradeoff.candidates import Candidate, candidates_for, with_codes
from sensitivenets.tradeoff.own_table import fitted_on, on_table
from sensitivenets.tradeoff.readers import strongest_reading
from sensitivenets.tradeoff.rehearsal import rehearse, why_not

DIM, ROWS = 24, 3
MEANS, TRANSPORT = Candidate(means_only=True), Candidate()
FEW = (MEANS, Candidate(n_components=16, means_only=True), TRANSPORT)


def people(n_subjects, seed=0, shift=1.0, scale=1.0):
    """Rows of subjects of two groups, whose means differ, or spreads, or both."""
    rng = np.random.default_rng(seed)
    group = np.arange(n_subjects) % 2
    spread = np.where(group[:, None] == 1, [scale] * 6 + [1.0] * (DIM - 6), 1.0)
    centers = rng.standard_normal((n_subjects, DIM)) * spread
    centers[:, -1] += shift * 2 * group
    X = np.repeat(centers, ROWS, axis=0) + 0.3 * rng.standard_normal((n_subjects * ROWS, DIM))
    columns = {
        "subject": np.repeat([f"s{k}" for k in range(n_subjects)], ROWS),
        "gender": np.repeat(np.array(["a", "b"])[group], ROWS),
    }
    return EmbeddingTable(X.astype(np.float32), pa.table(columns))


@pytest.fixture
def few(monkeypatch):
    # One half plays the table; both in turn are asked for where it matters.
    monkeypatch.setattr(rehearsal, "_FEW", 0)
    monkeypatch.setattr(rehearsal, "candidates_for", lambda *_: FEW)
    monkeypatch.setattr(rehearsal, "with_codes", lambda _: ())


def test_the_least_reading_within_the_budget_is_taken(few):
    found = rehearse(people(200), ["gender"], "subject", 0.2)
    tried = [point for point in found.points if point.loss <= 0.2]
    assert found.chosen.excess == min(point.excess for point in tried)
    assert {point.candidate for point in found.points} == {None, *FEW}


def test_where_means_differ_they_are_enough_and_where_spreads_do_they_are_not(few):
    for table, means_hide in ((people(200, shift=2.0), True), (people(200, 0, 2.0, 4.0), False)):
        read = {
            point.candidate: point.leakage["gender"]
            for point in rehearse(table, ["gender"], "subject", 1.0).points
        }
        assert read[None] > 0.9
        assert (read[MEANS] < 0.7) == means_hide, read


def test_a_code_is_tried_behind_the_best(few, monkeypatch):
    code = (Candidate(1, 64, 1.5, n_components=16, means_only=True),)
    asked = []
    monkeypatch.setattr(rehearsal, "with_codes", lambda best: asked.append(best) or code)
    found = rehearse(people(120), ["gender"], "subject", 1.0)
    assert code[0] in {point.candidate for point in found.points}
    others = [p for p in found.points if p.candidate in (None, *FEW)]
    assert asked == [min(others, key=lambda point: point.excess).candidate]


def test_people_of_the_pretended_table_are_not_in_its_reference(few, monkeypatch):
    seen = []

    def play(candidate, known, table, *_):
        seen.append((set(known.column("subject").to_pylist()), table))
        return {"gender": 0.5}, 0.9

    monkeypatch.setattr(rehearsal, "_play", play)
    monkeypatch.setattr(rehearsal, "_FEW", 1000)
    rehearse(people(100), ["gender"], "subject", 0.1)
    for known, table in seen:
        assert known.isdisjoint(table.column("subject").to_pylist())
    # Of few rows, everybody is in a pretended table once.
    assert {s for _, table in seen[:2] for s in table.column("subject").to_pylist()} == {
        f"s{k}" for k in range(100)
    }


@pytest.mark.parametrize("candidate", FEW)
def test_labels_of_the_pretended_table_only_score(candidate, monkeypatch):
    known, table = people(60), people(60, seed=1)
    shuffled = np.random.default_rng(0).permutation(table.column("gender").to_pylist())
    columns = table.columns.drop_columns(["gender"]).append_column("gender", pa.array(shuffled))
    seen = []

    def reading(Z, labels, *_):
        seen.append((Z, labels))
        return 0.5

    monkeypatch.setattr(rehearsal, "strongest_reading", reading)
    for played in (table, replace(table, columns=columns)):
        rehearsal._play(candidate, known, played, (["gender"], ["gender"]), "subject", True, 0)
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    assert (seen[0][1].codes != seen[1][1].codes).any()


def test_components_are_those_of_both_tables():
    known, table = people(60), people(60, seed=1)
    table = replace(table, vectors=table.vectors * np.array([9] + [1] * (DIM - 1), np.float32))
    (before, *_) = fitted_on(known, ["gender"], FEW[1], table.vectors, 0).map.parts
    assert abs(before.weight[0, 0]) > 0.99
    centre = np.concatenate([known.vectors, table.vectors]).mean(axis=0)
    np.testing.assert_allclose(before(centre[None]), 0, atol=1e-4)


@pytest.mark.parametrize("candidate", [*FEW, *with_codes(FEW[1]), Candidate(rank=8)])
def test_later_rows_are_mapped_as_the_rows_were(candidate, tmp_path):
    known, table = people(80), people(80, seed=1)
    model = fitted_on(known, ["gender"], candidate, table.vectors, 0)
    moved = on_table(model, candidate, table.vectors, None, 0)
    save_model(replace(model, map=moved.map), tmp_path / "model")
    later = load_model(tmp_path / "model").map(table.vectors)
    np.testing.assert_allclose(later, moved.vectors, atol=2e-3)


def test_no_more_components_than_a_group_has_rows():
    kept = {c.n_components for c in candidates_for(256, 100)}
    assert kept == {None, 64, 32, 16}
    assert {c.n_components for c in candidates_for(256, 5000)} == {None, 128, 64, 32}
    assert {c.n_components for c in candidates_for(256, 9)} == {None}
    assert all(c.rank < (c.n_components or 256) for c in candidates_for(256, 100) if c.rank)


def test_readers_of_either_sign():
    """Whoever is always wrong knows as much as whoever is always right."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    labels = encode("gender", np.array(["a", "b"])[y])
    alone = np.arange(120)
    noise = rng.standard_normal((120, 4)).astype(np.float32)
    assert strongest_reading(noise, labels, alone, 0) < 0.65
    seen = noise + 4 * y[:, None].astype(np.float32)
    assert strongest_reading(seen, labels, alone, 0) > 0.95
    # Pairs of opposite labels at one place: neighbours are always wrong.
    turned = np.repeat(rng.standard_normal((60, 4)), 2, axis=0).astype(np.float32)
    assert strongest_reading(turned, labels, alone, 0) > 0.65


def test_what_cannot_be_rehearsed_says_why():
    table = people(60)
    assert "names no identities" in why_not(table, ["gender"], None)
    assert "names no identities" in why_not(table, ["gender"], "speaker")
    single = table.take(np.arange(0, len(table), ROWS))
    assert "nobody is in the reference twice" in why_not(single, ["gender"], "subject")
    small = table.take(np.arange(10 * ROWS))
    assert "5 subjects of" in why_not(small, ["gender"], "subject")
    assert why_not(table, ["gender"], "subject") is None


def test_protect_takes_it_says_why_and_records_it(few, tmp_path):
    known, mine = people(200, shift=2.0), people(200, seed=1, shift=2.0)
    found = protect(
        mine, known, remove="gender", identity="subject", utility_budget=0.3, quick=True, n_jobs=1
    )
    assert found.taken == found.trade_off.chosen.candidate
    assert found.lines()[0].startswith(f"taken: {found.taken}; of 3 candidates it leaks least")
    save_model(found.model, tmp_path / "model")
    curve = json.loads(json.dumps(load_model(tmp_path / "model").curve))
    assert [line["name"] for line in curve[1:] if line["chosen"]] == [str(found.taken)]
    assert len(curve) == 2 + len(FEW)
    assert found.table.vectors.shape[1] == found.model.map.n_features_out


def test_nothing_within_the_budget_takes_the_cheapest_and_says_so(few, monkeypatch):
    monkeypatch.setattr(
        rehearsal, "_play", lambda c, *_: ({"gender": 0.9}, 0.9 if c is None else 0.5)
    )
    found = rehearse(people(60), ["gender"], "subject", 0.1)
    assert found.chosen.candidate is None
    assert found.taken == found.points[1].candidate
    assert "none of 3 candidates leaks less within 10 points" in rehearsal.in_words(found)


def test_budgets_and_candidates_that_make_no_sense_are_refused():
    known, mine = people(60), people(60, seed=1)
    with pytest.raises(InputError, match="utility_budget: expected"):
        protect(mine, known, remove="gender", identity="subject", utility_budget=2)
    with pytest.raises(InputError, match=r"'16 components, means only'; what keeps components"):
        BudgetedTransport(0.1, candidates=[FEW[1]]).fit(
            known.vectors, known.column("subject"), sensitive={"gender": known.column("gender")}
        )


def three_sources(n_subjects, seed):
    """Sources whose groups differ in one direction, turned in the middle one: no square tells."""
    table = people(n_subjects, seed, shift=0)
    X = table.vectors.copy()
    source = np.repeat(np.arange(n_subjects) // 2 % 3 - 1, ROWS)
    group = np.array(table.column("gender").to_pylist()) == "b"
    X[:, 0] += 8 * source
    X[:, 1] += 4 * np.where(group, 1, -1) * np.where(source == 0, -1, 1)
    columns = table.columns.append_column("source", pa.array(np.array(["x", "y", "z"])[source + 1]))
    return replace(table, vectors=X, columns=columns)


@pytest.mark.parametrize(
    ("grouped", "is_hidden"), [(["gender"], False), (["gender", "source"], True)]
)
def test_each_source_has_moments_of_its_own(grouped, is_hidden):
    known, mine = three_sources(400, 0), three_sources(400, 1)
    fitted = fitted_on(known, grouped, MEANS, mine.vectors, 0)
    moved = on_table(fitted, MEANS, mine.vectors, None, 0).vectors
    source, gender = (np.array(mine.column(name).to_pylist()) for name in ("source", "gender"))
    left = []
    for one in "xyz":
        a, b = (source == one) & (gender == "a"), (source == one) & (gender == "b")
        before = mine.vectors[a].mean(axis=0) - mine.vectors[b].mean(axis=0)
        after = moved[a].mean(axis=0) - moved[b].mean(axis=0)
        left.append(np.linalg.norm(after) / np.linalg.norm(before))
    assert max(left) < 0.2 if is_hidden else min(left) > 0.3, left


def test_a_protected_table_keeps_its_sources_and_audits_what_was_asked(few):
    known, mine = three_sources(150, 0), three_sources(150, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = protect(
            mine, known, remove="gender", domain="source", utility_budget=None, quick=True, n_jobs=1
        )
    assert found.table.columns.column_names == ["subject", "source"]
    assert [one.name for one in found.audit.attributes] == ["gender"]
    assert len(found.adapted.rows) == 6


def test_a_rehearsal_reads_no_source(few):
    found = rehearse(three_sources(200, 0), ["gender"], "subject", 1.0, domain="source")
    assert all(set(point.leakage) == {"gender"} for point in found.points)


def test_the_source_is_neither_removed_nor_kept():
    known = three_sources(40, 0)
    with pytest.raises(InputError, match="domain: 'gender' is what is removed or kept"):
        protect(known, known, remove="gender", domain="gender")


# Sixty people are few to tell groups by, which is said and of no matter here.
@pytest.mark.filterwarnings("ignore::sensitivenets.errors.DataWarning")
@pytest.mark.parametrize(("n_subjects", "why"), [(18, "9 subjects of"), (44, "66 rows of")])
def test_a_small_reference_protects_without_a_comparison(n_subjects, why):
    found = protect(
        people(60, seed=1),
        people(n_subjects),
        remove="gender",
        identity="subject",
        quick=True,
        n_jobs=1,
    )
    assert found.taken == Candidate(n_rounds=1)
    assert "nothing was compared" in found.why
    assert why in found.why


@pytest.mark.filterwarnings("ignore::sensitivenets.errors.DataWarning")
def test_a_half_that_is_too_small_is_no_reason_not_to_protect(monkeypatch):
    def rehearse(*_, **__):
        raise InputError("groups gender: expected at least 20 labelled rows in each")

    monkeypatch.setattr(sys.modules[protect.__module__], "rehearse", rehearse)
    found = protect(
        people(60, seed=1), people(60), remove="gender", identity="subject", quick=True, n_jobs=1
    )
    assert "a half of the reference is too small" in found.why
