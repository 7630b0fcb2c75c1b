import dataclasses
import gc
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from sensitivenets.audit import quick_audit
from sensitivenets.audit.inversion import Recovered
from sensitivenets.audit.results import Inversion
from sensitivenets.benchmark import measure
from sensitivenets.benchmark.measure import ProtocolSettings, _arguments, _figures, run_once
from sensitivenets.benchmark.peak_memory import peak_memory
from sensitivenets.benchmark.plan import Run
from sensitivenets.benchmark.record import load_record, load_records, save_record
from sensitivenets.embeddings import Labels
from sensitivenets.erasers.baselines import Unchanged
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.linear.splince import SPLINCE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import DetectorWarning, InputError
from sensitivenets.verification import verify_all_pairs

NONE = Run("none", {}, 0)


def leakage(record):
    return dataclasses.replace(
        record.figures, fit_seconds=0, transform_rows_per_second=0, peak_memory=0
    )


@pytest.fixture(scope="module")
def leace(inputs):
    return run_once(inputs, Run("leace", {}, 0), ProtocolSettings(), "c")


def test_the_figures_are_those_of_the_audit_and_of_verification(inputs, leace):
    fitting, attacking = inputs.fitting, inputs.attacking
    gender = fitting.attributes["gender"]
    names = [gender.classes[code] for code in gender.codes]
    eraser = LEACE(random_state=0).fit(fitting.X, sensitive={"gender": names})
    mapped = eraser.transform(attacking.X)
    expected = quick_audit(
        mapped, None, attacking.attributes, split=attacking.split, n_jobs=1
    ).attributes[0]
    (found,) = leace.figures.attributes
    assert found.strongest == found.map_secret == expected.strongest
    assert found.attackers == expected.before.attackers
    test = attacking.split.test
    verified = verify_all_pairs(mapped[test], attacking.split.groups.take(test))
    (utility,) = leace.figures.verification
    assert (utility.name, utility.eer, utility.accuracy) == ("all pairs", verified.eer, None)
    assert leace.figures.n_features == 32
    assert leace.figures.fit_seconds > 0
    assert leace.error is None


def test_a_method_that_keeps_a_label_is_given_the_task_and_no_identities(inputs):
    fitting = inputs.fitting
    task = np.arange(len(fitting.X)) % 3
    labels = Labels("task", task, ("a", "b", "c"))
    given = dataclasses.replace(inputs, fitting=dataclasses.replace(fitting, task=labels))
    found = run_once(given, Run("splince", {}, 0), ProtocolSettings(), "c")
    assert found.error is None
    gender = fitting.attributes["gender"].codes
    mapped = SPLINCE(random_state=0).fit(fitting.X, task, sensitive=gender)
    test = inputs.attacking.split.test
    verified = verify_all_pairs(
        mapped.transform(inputs.verifying.X), inputs.attacking.split.groups.take(test)
    )
    assert found.figures.verification[0].eer == verified.eer
    # The others keep the identities all the same.
    kept = [run_once(one, Run("leace", {}, 0), ProtocolSettings(), "c") for one in (inputs, given)]
    assert leakage(kept[0]) == leakage(kept[1])
    assert _arguments(fitting, NONE)["y"] == _arguments(given.fitting, NONE)["y"]


def test_a_method_that_adapts_has_the_moments_of_the_rows_it_is_attacked_on(inputs, monkeypatch):
    adapted = []
    adapt = RoutedTransport.adapt
    monkeypatch.setattr(
        RoutedTransport, "adapt", lambda self, X: adapted.append(X) or adapt(self, X)
    )
    found = run_once(inputs, Run("adapted_transport", {"n_rounds": 1}, 0), ProtocolSettings(), "c")
    assert found.error is None
    assert [X is inputs.attacking.X for X in adapted] == [True]


def test_the_same_seed_gives_the_same_numbers(inputs, leace):
    again = run_once(inputs, Run("leace", {}, 0), ProtocolSettings(), "c")
    assert leakage(again) == leakage(leace)


def test_another_seed_is_another_map_for_a_random_method(inputs):
    runs = [Run("random_projection", {"n_components": 4}, seed) for seed in (0, 0, 1)]
    first, same, other = (run_once(inputs, run, ProtocolSettings(), "c") for run in runs)
    assert leakage(first) == leakage(same) != leakage(other)


@pytest.mark.parametrize(
    ("run", "error"),
    [
        (Run("leace", {"tolerance": -1}, 0), "InputError: tolerance: expected a number"),
        (Run("leace", {"typo": 1}, 0), "InputError: leace: no parameter 'typo' to set"),
        (Run("own_methods:Raises", {}, 0), "RuntimeError: cannot be learned"),
    ],
)
def test_what_goes_wrong_is_recorded_in_one_line(inputs, own_methods, run, error):
    record = run_once(inputs, run, ProtocolSettings(), "c")
    assert record.figures is None
    assert record.error.startswith(error)
    assert "\n" not in record.error
    assert record.run == run


def test_warnings_of_a_method_are_notes(inputs, monkeypatch):
    class Warns(Unchanged):
        def _learn(self, data):
            warnings.warn("the attribute was hardly there", DetectorWarning, stacklevel=2)
            return super()._learn(data)

    monkeypatch.setattr(measure, "_estimator", lambda run: Warns())
    (note,) = run_once(inputs, NONE, ProtocolSettings(), "c").notes
    assert note.startswith("the attribute was hardly there")


def test_unlabelled_rows_reach_a_method_as_null(inputs, monkeypatch):
    seen = {}

    class Looks(Unchanged):
        def _learn(self, data):
            seen.update(target=data.target.codes, gender=data.attributes["gender"])
            return super()._learn(data)

    gender = inputs.fitting.attributes["gender"]
    codes, people = gender.codes.copy(), inputs.fitting.target.codes.copy()
    codes[[0, 5]] = people[[1, 2]] = -1
    fitting = dataclasses.replace(
        inputs.fitting,
        target=dataclasses.replace(inputs.fitting.target, codes=people),
        attributes={"gender": Labels("gender", codes, gender.classes)},
    )
    monkeypatch.setattr(measure, "_estimator", lambda run: Looks())
    run_once(dataclasses.replace(inputs, fitting=fitting), NONE, ProtocolSettings(), "c")
    assert np.array_equal(seen["gender"].codes, codes)
    assert seen["gender"].classes == gender.classes
    assert np.array_equal(seen["target"] == -1, people == -1)


def test_in_full_the_strongest_is_the_stronger_of_both_threats(inputs, monkeypatch):
    """An inverter that recovers everything reads what was there before the map."""

    def audit(vectors, after, attributes, *, curves, **rest):
        return quick_audit(vectors, after, attributes, **rest)

    def invert(phi, X, n_train, seed):
        assert n_train == len(inputs.attacking.split.train)
        assert phi(X).shape == (len(X), 2)
        return Recovered(X, Inversion("network", 1.0, 0.0, 1.0, n_train, len(X) - n_train))

    monkeypatch.setattr(measure, "audit", audit)
    monkeypatch.setattr(measure, "invert", invert)
    narrow = Run("random_projection", {"n_components": 2}, 0)
    full = run_once(inputs, narrow, ProtocolSettings(full=True), "c")
    (found,) = full.figures.attributes
    (raw,) = run_once(inputs, NONE, ProtocolSettings(), "c").figures.attributes
    assert found.strongest.balanced_accuracy == raw.strongest.balanced_accuracy
    assert found.strongest.balanced_accuracy > found.map_secret.balanced_accuracy
    assert found.strongest.preparation.endswith("standardised, after inverting the map")
    assert found.inverted == raw.attackers
    assert full.figures.inversion_cosine == 1.0


def test_records_survive_the_file(inputs, leace, tmp_path):
    path = save_record(leace, tmp_path)
    assert path.name == f"{leace.key}.json"
    assert load_record(path) == leace
    (tmp_path / ".half.json").write_text("{")
    assert load_records(tmp_path) == [leace]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the record of a run, Expecting value"),
        ("[]", "of version 1, found version None; delete it"),
        ('{"schema_version": 2}', "of version 1, found version 2; delete it"),
        ('{"schema_version": 1}', "expected the fields of RunRecord, but it lacks"),
    ],
)
def test_a_file_that_is_no_record_is_refused_by_name(tmp_path, text, message):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_records(tmp_path)
    assert "x.json" in str(caught.value)


def test_peak_memory_counts_what_is_given_back():
    with peak_memory() as peak:
        size = len(np.ones(8 * 2**20).tobytes())
    # An array and its copy, both gone by now.
    assert 2 * size * 0.95 < peak.taken < 2 * size + 2**25
    with peak_memory() as nothing:
        pass
    assert nothing.taken < 2**22


def test_garbage_from_before_hides_nothing():
    old: list[object] = [np.ones(8 * 2**20)]
    old.append(old)
    del old
    with peak_memory() as peak:
        gc.collect()
        size = len(np.ones(8 * 2**20).tobytes())
    assert 2 * size * 0.95 < peak.taken


@pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux can give back")
def test_what_the_allocator_kept_hides_nothing():
    # After the first is freed, arrays of its size come from the heap; the last keep it from
    # shrinking when the others go.
    first = np.ones(3 * 2**20)
    del first
    freed = [np.ones(2 * 2**20) for _ in range(12)]
    above = [np.ones(2**14) for _ in range(4)]
    del freed
    with peak_memory() as peak:
        size = len(np.ones(8 * 2**20).tobytes())
    del above
    assert 2 * size * 0.95 < peak.taken


def test_one_seed_of_the_settings_is_that_of_every_attack(inputs, monkeypatch):
    seeds = []

    def audit(vectors, after, attributes, *, random_state, curves=None, **rest):
        seeds.append((curves, random_state))
        return quick_audit(vectors, after, attributes, random_state=random_state, **rest)

    def invert(phi, X, n_train, seed):
        seeds.append(("invert", seed))
        return Recovered(X, Inversion("network", 1.0, 0.0, 1.0, n_train, len(X) - n_train))

    monkeypatch.setattr(measure, "audit", audit)
    monkeypatch.setattr(measure, "quick_audit", audit)
    monkeypatch.setattr(measure, "invert", invert)
    for full in (True, False):
        assert run_once(inputs, NONE, ProtocolSettings(full, random_state=7), "c").error is None
    # What changes nothing has nothing to invert.
    assert seeds == [(False, 7), (None, 7)]
    run_once(inputs, Run("leace", {}, 3), ProtocolSettings(full=True, random_state=7), "c")
    assert seeds[2:] == [(False, 7), ("invert", 7), (False, 7)]


def test_a_broken_attack_on_what_was_inverted_breaks_the_figures():
    def read(shuffled_at_chance):
        return SimpleNamespace(
            name="gender",
            chance=0.5,
            strongest=SimpleNamespace(balanced_accuracy=0.7),
            before=SimpleNamespace(attackers=()),
            controls=SimpleNamespace(shuffled_at_chance=shuffled_at_chance),
        )

    assert _figures(read(True), read(True)).shuffled_at_chance
    assert not _figures(read(True), read(False)).shuffled_at_chance
    assert not _figures(read(False), None).shuffled_at_chance
