import dataclasses

import pytest

from sensitivenets.embeddings.collapse import Collapse
from sensitivenets.report import Experiment
from sensitivenets.report.summary import summarise


def words(audit):
    return summarise(audit).sentence.replace("\xa0", " ")


def with_attribute(audit, **changed):
    first = dataclasses.replace(audit.attributes[0], **changed)
    return dataclasses.replace(audit, attributes=(first, *audit.attributes[1:]))


def at_chance(headline):
    return dataclasses.replace(headline, balanced_accuracy=0.51, above_chance=False)


def test_one_sentence_says_it_all(audit):
    assert words(audit) == (
        "The new embeddings reduce what can be inferred about gender by 70 % and about ethnicity "
        "by 64 %, keep a verification accuracy of 97.2 % (99.6 % before), and still let the "
        "strongest attacker tell gender in 62 of 100 cases (a guess: 50) and ethnicity in 52 of "
        "100 cases (a guess: 33)."
    )


def test_an_audit_that_failed_says_so_first(audit):
    failed = dataclasses.replace(audit, trustworthy=False, reasons=("gender: broken",))
    assert words(failed).startswith("Taken at face value, the new embeddings")
    assert summarise(failed).trust == "gender: broken"


def test_nothing_found_is_not_nothing_there(audit):
    attribute = audit.attributes[0]
    clean = with_attribute(audit, strongest=at_chance(attribute.strongest))
    assert "tell ethnicity in 52 of 100 cases (a guess: 33) and let no attacker tried" in words(
        clean
    )
    assert "let no attacker tried here tell gender better than a guess" in words(clean)
    assert "another attacker may find more" in summarise(clean).leaks[0]


def test_a_reduction_whose_interval_holds_zero_is_not_claimed(audit):
    weak = dataclasses.replace(audit.attributes[0].reduction, reduction=0.04, low=-0.02)
    result = with_attribute(audit, reduction=weak)
    assert "do not measurably reduce what can be inferred about gender" in words(result)
    assert summarise(result).removed[0] == "gender: no measurable reduction"


def test_more_than_all_is_all(audit):
    beyond = dataclasses.replace(audit.attributes[0].reduction, reduction=1.03)
    assert "about gender by 100 %" in words(with_attribute(audit, reduction=beyond))


def test_what_could_not_be_read_before_was_not_removed(audit):
    before = audit.attributes[0].before
    blind = dataclasses.replace(before, strongest=at_chance(before.strongest))
    result = with_attribute(audit, before=blind)
    assert "leave gender as unreadable as before" in words(result)
    assert summarise(result).removed[0].startswith("gender: not readable before")


def test_leakage_is_not_shown_without_saying_that_utility_is_unknown(audit):
    unmeasured = dataclasses.replace(audit, verification=())
    assert words(unmeasured).count("what they keep was not measured") == 1
    assert "was not measured" in summarise(unmeasured).kept[0]


def test_equal_error_rate_stands_in_for_accuracy(audit, over_all_pairs):
    sides = map(over_all_pairs, audit.verification[0].sides.values())
    result = dataclasses.replace(audit, verification=(Experiment(*sides),))
    assert "keep a verification, 1 − equal error rate" not in words(result)
    assert "keep an equal error rate of 2.8 % (0.4 % before)" in words(result)


def test_a_constant_keeps_nothing(audit):
    constant = dataclasses.replace(audit, collapse_after=Collapse(1.0, 0, 0.0, 1, 1800))
    assert "keep nothing, for all their rows are equal" in words(constant)


@pytest.mark.parametrize("name", ["sentence", "trust"])
def test_no_promise(audit, alone, name):
    for result in (audit, alone):
        assert "anonym" not in getattr(summarise(result), name)
