import dataclasses
import itertools
import math

import pyarrow.parquet as pq
import pytest

from sensitivenets.benchmark.joining import join, over_seeds
from sensitivenets.benchmark.leaderboard import load_leaderboard, save_leaderboard
from sensitivenets.benchmark.record import AcceptRate, failed
from sensitivenets.benchmark.results_table import write_results
from sensitivenets.benchmark.runs import Benchmark
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.tradeoff.pareto import front

FACTS = {"settings": {"full": False, "n_threads": 1}}


@pytest.fixture
def board(record_of):
    return lambda *records: join(Benchmark(records, 0, 0, FACTS))


@pytest.fixture
def small(record_of):
    """Before any map 90 % is read at 99 %; one method in two seeds, two in one."""
    return (
        record_of("none", 0.9, 0.99),
        record_of("leace", 0.7, 0.98, 0),
        record_of("leace", 0.8, 0.96, 1),
        record_of("ive", 0.6, 0.9, removed=0.5),
        record_of("ive", 0.85, 0.89, removed=0.25),
    )


def test_seeds_are_joined_to_a_mean_and_the_widest_interval():
    joined = over_seeds([Estimate(0.7, 0.6, 0.8, 50), Estimate(0.8, 0.77, 0.83, 50)])
    assert (joined.low, joined.high, joined.n) == (0.6, 0.83, 50)
    assert joined.value == pytest.approx(0.75)


def test_entries_by_hand(board, small):
    found = board(*small)
    assert [entry.label for entry in found.entries] == [
        *("ive (removed=0.5)", "leace", "ive (removed=0.25)", "none"),
    ]
    leace = found.entry("leace")
    (gender,) = leace.attributes
    assert leace.seeds == (0, 1)
    assert gender.leakage.value == pytest.approx(0.75)
    assert (gender.leakage.low, gender.leakage.high) == pytest.approx((0.65, 0.85))
    # (0.9 - 0.75) / (0.9 - 0.5)
    assert gender.reduction == pytest.approx(0.375)
    # (0.75 - 0.5) / (1 - 0.5)
    assert leace.excess == pytest.approx(0.5)
    assert [u.name for u in leace.utilities] == ["accuracy, view2", "TAR at FMR 0.001, view2"]
    assert leace.utilities[0].value.value == pytest.approx(0.97)
    # One second with seed 0, two with seed 1; one and two MiB.
    assert (leace.fit_seconds, leace.peak_memory) == (1.5, 2**21)
    assert found.entry("none").attributes[0].reduction == 0
    assert found.reasons == ()


def test_attackers_are_shown_in_their_best_preparation_and_failures_as_failures(board, small):
    svm, network = board(*small).entry("none").attributes[0].attackers
    assert (svm.attacker, svm.leakage.value) == ("SVM", 0.9)
    assert (network.attacker, network.leakage) == ("NN", None)


def test_front_and_choices_by_hand(board, small):
    found = board(*small)
    by_accuracy = next(f for f in found.fronts if f.utility == "accuracy, view2")
    assert by_accuracy.labels == ("none", "leace", "ive (removed=0.5)")
    chosen = {c.budget: c.label for c in found.choices}
    # leace loses two points, ive with half removed nine.
    assert chosen == {0.005: "none", 0.01: "none", 0.02: "leace", 0.05: "leace"}


def test_the_front_is_what_no_other_point_beats(rng):
    points = [tuple(p) for p in rng.integers(0, 6, size=(60, 2)) / 6]

    def beaten(k):
        return any(
            u >= points[k][0] and leak <= points[k][1] and (u, leak) != points[k]
            for u, leak in points
        )

    found = front(points)
    assert sorted(found) == [k for k in range(len(points)) if not beaten(k)]
    assert all(points[a][0] >= points[b][0] for a, b in itertools.pairwise(found))


def test_a_utility_that_some_lack_has_no_front(board, record_of):
    found = board(record_of("none", 0.9, 0.99), record_of("leace", 0.6, 0.55))
    assert {f.utility for f in found.fronts} == {"accuracy, view2"}
    assert found.entry("leace").utilities[1].value is None


def test_several_attributes_are_averaged_for_the_order_only(board, record_of):
    found = board(
        record_of("none", {"gender": 0.9, "age": 0.9}, 0.99),
        record_of("a", {"gender": 0.5, "age": 0.8}, 0.9),
        record_of("b", {"gender": 0.6, "age": 0.6}, 0.9),
    )
    assert [entry.method for entry in found.entries] == ["b", "a", "none"]
    assert found.attributes == ("gender", "age")
    assert {f.attribute: f.labels for f in found.fronts if "view2" in f.utility} == {
        "gender": ("none", "a"),
        "age": ("none", "b"),
    }


def test_without_the_embeddings_before_nothing_is_said_to_be_gone(board, record_of):
    found = board(record_of("leace", 0.6, 0.9))
    assert found.entries[0].attributes[0].reduction is None
    assert found.choices == ()
    (reason,) = found.reasons
    assert "before any map were not attacked: add the method 'none'" in reason


def test_failed_controls_are_reasons(board, record_of):
    found = board(record_of("none", 0.9, 0.9, above=False), record_of("leace", 0.6, 0.9))
    assert "gender: attackers do not read it from the embeddings before" in found.reasons[0]
    broken = board(record_of("none", 0.9, 0.9), record_of("leace", 0.6, 0.9, shuffled=False))
    assert broken.reasons[0].startswith("leace: attackers trained on shuffled labels of gender")


def test_failures_are_listed_and_do_not_stand_in_the_way(board, small):
    bad = failed(small[3].run, "context", "it\nbroke")
    found = board(*small[:3], bad)
    assert [(f.label, f.error) for f in found.failures] == [
        ("ive (removed=0.5), seed 0", "it broke")
    ]
    nothing = board(bad)
    assert (nothing.entries, nothing.fronts, len(nothing.failures)) == ((), (), 1)


def test_a_leaderboard_survives_its_file(board, small, tmp_path):
    found = board(*small)
    save_leaderboard(found, tmp_path / "leaderboard.json")
    assert load_leaderboard(tmp_path / "leaderboard.json") == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "expected a leaderboard.json, .*No such file"),
        ("x", "expected a leaderboard.json, Expecting value"),
        ("{}", "of version 1, found version None; run the benchmark again"),
    ],
)
def test_what_is_no_leaderboard_is_refused(tmp_path, text, message):
    path = tmp_path / "leaderboard.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_leaderboard(path)


def test_the_table_of_results_has_a_row_for_each_figure(small, tmp_path):
    bad = failed(small[3].run, "context", "it broke", ["it creaked"])
    write_results([*small[:2], bad], tmp_path / "r.parquet")
    table = pq.read_table(tmp_path / "r.parquet")
    # Four attackers, the strongest without and with the map, an accuracy, an EER and a rate for
    # each of two runs; one row for the failure.
    assert len(table) == 2 * 9 + 1
    rows = table.to_pylist()
    attackers = [r for r in rows if r["figure"] == "balanced accuracy"]
    svm = next(r for r in attackers if (r["method"], r["preparation"]) == ("leace", "whitened"))
    assert (svm["attribute"], svm["threat"]) == ("gender", "map secret")
    assert (svm["value"], svm["seed"], svm["parameters"]) == (0.7, 0, "{}")
    accuracy = next(r for r in rows if r["figure"] == "accuracy")
    assert (accuracy["protocol"], accuracy["value"]) == ("view2", 0.99)
    assert [r["value"] for r in rows if r["attacker"] == "NN"] == [None, None]
    (failure,) = (r for r in rows if r["error"])
    assert (failure["method"], failure["figure"], failure["value"]) == ("ive", None, None)
    assert failure["notes"] == ["it creaked"]


def with_figures(record, **changes):
    return dataclasses.replace(record, figures=dataclasses.replace(record.figures, **changes))


def with_verification(record, **changes):
    (one,) = record.figures.verification
    return with_figures(record, verification=(dataclasses.replace(one, **changes),))


def test_without_an_accuracy_the_equal_error_rate_is_turned_round_with_its_interval(
    board, record_of
):
    eer = Estimate(0.1, 0.05, 0.25, 100)
    found = board(with_verification(record_of("none", 0.9, 0.9), accuracy=None, eer=eer))
    utility = found.entries[0].utilities[0]
    assert utility.name == "1 - EER, view2"
    values = (utility.value.value, utility.value.low, utility.value.high)
    assert values == pytest.approx((0.9, 0.75, 0.95))


def test_accept_rates_at_lax_thresholds_are_left_out_and_need_every_seed(board, record_of):
    one = Estimate(0.8, 0.7, 0.9, 100)
    both = with_verification(
        record_of("none", 0.9, 0.9), accept_rates=(AcceptRate(0.1, one), AcceptRate(1e-2, one))
    )
    some = with_verification(
        record_of("none", 0.9, 0.9, 1), accept_rates=(AcceptRate(0.1, one), AcceptRate(1e-2, None))
    )
    names = [u.name for u in board(both).entries[0].utilities]
    assert names == ["accuracy, view2", "TAR at FMR 0.01, view2"]
    assert board(both).entries[0].utilities[1].value == one
    assert board(both, some).entries[0].utilities[1].value is None


def test_the_attacker_named_is_that_of_the_seed_where_most_is_read(board, record_of):
    records = [record_of("leace", leakage, 0.9, seed) for seed, leakage in enumerate((0.6, 0.8))]
    (attack,) = records[1].figures.attributes
    top = dataclasses.replace(attack.strongest, attacker="RF", preparation="raw")
    records[1] = with_figures(records[1], attributes=(dataclasses.replace(attack, strongest=top),))
    assert board(*records).entries[0].attributes[0].attacker == "RF, raw"


def test_one_seed_with_a_broken_attack_breaks_the_entry(board, record_of):
    found = board(
        record_of("none", 0.9, 0.9),
        record_of("leace", 0.6, 0.9, 0),
        record_of("leace", 0.6, 0.9, 1, shuffled=False),
    )
    assert not found.entry("leace").attributes[0].trustworthy
    assert found.reasons[0].startswith("leace: attackers trained on shuffled labels")


def test_what_is_read_after_inverting_the_map_is_in_the_table_as_such(record_of, tmp_path):
    record = record_of("leace", 0.6, 0.9)
    (attack,) = record.figures.attributes
    read = dataclasses.replace(attack.attackers[1], balanced_accuracy=0.77)
    both = dataclasses.replace(attack, inverted=(read,))
    write_results([with_figures(record, attributes=(both,))], tmp_path / "r.parquet")
    rows = pq.read_table(tmp_path / "r.parquet").to_pylist()
    (inverted,) = (r for r in rows if r["threat"] == "map inverted")
    assert (inverted["attacker"], inverted["value"]) == ("SVM", 0.77)
    first = [r for r in rows if r["figure"] == "strongest balanced accuracy"]
    assert [(r["threat"], r["low"], r["high"]) for r in first] == [
        ("map secret", attack.map_secret.low, attack.map_secret.high),
        ("map known", attack.strongest.low, attack.strongest.high),
    ]


def test_who_loses_the_budget_but_for_rounding_is_within_it(board, record_of):
    # A mean over folds or seeds may end one step of floating point below what it is.
    after = math.nextafter(0.99 - 0.01, 0)
    found = board(record_of("none", 0.9, 0.99), record_of("leace", 0.6, after))
    assert {c.budget: c.label for c in found.choices}[0.01] == "leace"
