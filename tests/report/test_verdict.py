"""Valid or not, and how much leaks: two answers, and what was not tried beside them."""

import dataclasses
import json

import pytest

from sensitivenets.audit import ConfidentSubset, Detection, Headline, SeveralTemplates, Subgroup
from sensitivenets.report import to_json
from sensitivenets.report.closer import closer_tables
from sensitivenets.report.collusion import Collusion
from sensitivenets.report.iso import iso_rows
from sensitivenets.report.not_tried import not_tried, strongest_of
from sensitivenets.report.officer import retest_by, threat_models
from sensitivenets.report.overview import as_text, verdict
from sensitivenets.report.pictures import pictures
from sensitivenets.report.rendering import render
from sensitivenets.report.rows import Population
from sensitivenets.report.verdict import LEVELS, level_of, verdict_of

pytestmark = pytest.mark.usefixtures("undrawn")


def top(value, *, above=True):
    return Headline("MLP", "raw", value, value - 0.03, value + 0.03, 900, 0.52, above)


@pytest.mark.parametrize(
    ("value", "above", "level"),
    [(0.51, False, 0), (0.53, True, 1), (0.56, True, 2), (0.649, True, 2), (0.66, True, 3)],
)
def test_the_scale_is_the_way_from_a_guess_to_certainty(value, above, level):
    assert level_of(top(value, above=above), 0.5) == LEVELS[level]


def test_of_three_classes_the_scale_is_as_long():
    assert [level_of(top(v), 1 / 3) for v in (0.38, 0.41, 0.55)] == list(LEVELS[1:])


def test_a_valid_measurement_may_find_a_high_leak(audit):
    leaky = dataclasses.replace(audit.attributes[0], strongest=top(0.9))
    found = dataclasses.replace(audit, attributes=(leaky,))
    assert verdict_of(found).sentence == "Measurement valid. Leak: high."
    assert "can be trusted" not in as_text(found) + render(found)
    bad = dataclasses.replace(found, trustworthy=False, reasons=("gender: broken",))
    assert verdict(bad)[:2] == ["Measurement not valid. Leak: not known.", "  gender: broken"]


def looked_closer(attribute, **looks):
    return dataclasses.replace(attribute, after=dataclasses.replace(attribute.after, **looks))


LOOKS = {
    "confident": (ConfidentSubset("RBF-SVM", "raw", 0.01, 18, 1.0, 0.81, 1.0, 0.5, True),),
    "detections": (Detection("MLP", "raw", "Male", 0.001, 0.4, 0.3, 0.5, 600, True),),
    "several_templates": (SeveralTemplates(None, top(0.8)),),
    "worst_subgroup": Subgroup("age", "70+", top(0.8)),
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_average_does_not_hide_people_who_are_read_surely(audit, look):
    hidden = looked_closer(audit.attributes[0], **{look: LOOKS[look]})
    calm = dataclasses.replace(hidden, strongest=top(0.51, above=False))
    found = verdict_of(dataclasses.replace(audit, attributes=(calm,)))
    assert found.sentence == "Measurement valid. Leak: none found; high for some people."


def test_versions_that_leak_together_count(audit):
    calm = dataclasses.replace(audit.attributes[0], strongest=top(0.51, above=False))
    found = dataclasses.replace(
        audit, attributes=(calm,), collusion=(Collusion("gender", 2, top(0.7)),)
    )
    assert verdict_of(found).level == "high"


def test_a_quick_audit_is_called_quick_everywhere_and_its_strongest_is_of_three(alone):
    text, page = as_text(alone), render(alone)
    for said in (text, page):
        assert "three attackers, none whitens" in said
        assert "at least high" in said
        assert "the strongest attacker" not in said.lower()
    assert '<p class="badge quick">' in page
    assert strongest_of(alone) == "the strongest of three attackers"


def test_the_verdict_is_in_the_json(audit):
    data = json.loads(to_json(audit))["verdict"]
    assert (data["valid"], data["leak"]) == (True, "moderate")
    assert data["attributes"]["gender"] == {"leak": "moderate", "leak_for_some": "moderate"}


def test_the_first_screen_says_what_it_is_of(audit):
    page = render(audit).split("<main>")[0]
    for term in ("Scope", "Rows", "People", "Labels given to the attacker", "Date", "Model"):
        assert f"<dt>{term}</dt>" in page
    assert '<p class="big">62.0\xa0%</p>' in page
    assert '<p class="big">97.2\xa0%</p>' in page
    assert "effective rank" not in page.lower()


def test_figures_of_held_rows_say_so_on_the_first_screen(audit):
    held = dataclasses.replace(audit, rows=Population("held", 900, ("gender",)))
    said = "their own labels of gender; this is not a figure for anybody else"
    assert said in render(held).split("<main>")[0]
    assert "people whom the map has not seen" in not_tried(held)


def test_what_was_not_tried_is_said(audit, alone):
    assert "several protected versions of the same rows together" in not_tried(audit)
    assert not_tried(alone)[0].startswith("every attacker but three")
    bare = dataclasses.replace(audit, inversion=None)
    assert "undoing the map: the model was not given" in not_tried(bare)


def test_intervals_are_drawn_and_equal_dots_stay_two(audit):
    same = dataclasses.replace(audit.attributes[0], strongest=audit.attributes[0].before.strongest)
    page = render(dataclasses.replace(audit, attributes=(same,)))
    assert page.count('class="interval "') == page.count('class="interval after"') == 2
    assert '<div class="track two"' in page
    style = page.split("<style>")[1].split("</style>")[0]
    assert ".track.two .dot, .track.two .interval { top: 30%; }" in style


def test_the_removal_curve_names_its_attacker(audit):
    described = {picture.name: picture.description for picture in pictures(audit)}
    assert "SVM, standardised" in described["features-removed"]


def test_each_closer_look_has_its_table(audit, gender):
    assert closer_tables(gender) == ()
    tables = closer_tables(looked_closer(gender, **LOOKS))
    assert [table.rows[0].cells[1].replace("\xa0", " ") for table in tables] == [
        "100.0 %* [81.0, 100.0], n = 18; luck 50.0 %; RBF-SVM",
        "40.0 %* [30.0, 50.0] of Male, n = 600; MLP",
        "80.0 %* [77.0, 83.0], n = 900; MLP",
        "age = 70+: 80.0 %* [77.0, 83.0], n = 900; MLP",
    ]
    page = render(dataclasses.replace(audit, attributes=(looked_closer(gender, **LOOKS),)))
    assert "The people read most surely" in page


def test_attacks_of_another_kind_are_listed(gender):
    usual = gender.after.attackers
    odd = (
        dataclasses.replace(usual[1], attacker="number reader", preparation="bits"),
        dataclasses.replace(usual[2], attacker="label spreading"),
        dataclasses.replace(usual[3], notes=("below chance on the validation rows: turned",)),
    )
    (table,) = closer_tables(looked_closer(gender, attackers=odd))
    assert [row.label for row in table.rows] == [
        "Digits of the numbers",
        "Label spreading",
        "Turned answers",
    ]
    assert table.rows[0].cells[0] == "–"


def test_the_officer_has_one_page_with_every_threat(audit):
    dated = dataclasses.replace(
        audit, provenance=dataclasses.replace(audit.provenance, date="2028-02-29")
    )
    threats = {threat.name: threat for threat in threat_models(dated)}
    assert list(threats) == [
        "Naive",
        "Map secret",
        "Map public",
        "Collusion",
        "Outsiders",
        "Insider",
    ]
    assert threats["Map secret"].risk[0].startswith("gender: moderate, 62.0")
    assert threats["Collusion"].risk == ("not measured",)
    assert threats["Insider"].risk[0].startswith("gender: high, 90.0")
    assert retest_by(dated) == "2029-02-28"
    assert retest_by(audit) is None
    page = render(dated)
    assert 'class="officer"' in page
    assert "break-before: page" in page
    assert "by 2029-02-28" in page


def test_codes_are_told_in_the_words_of_the_standards(audit):
    assert iso_rows(audit) == ()
    remarks = audit.provenance.remarks | {"codes": "512 bits a row"}
    coded = dataclasses.replace(
        audit, provenance=dataclasses.replace(audit.provenance, remarks=remarks)
    )
    rows = {row.label: row.cells[1].replace("\xa0", " ") for row in iso_rows(coded)}
    assert rows["Recognition accuracy"] == "verification accuracy: 99.57 % before, 97.18 % after"
    assert "cosine of 0.62" in rows["Irreversibility"]
    assert "--also" in rows["Renewability"]
    assert "ISO/IEC 24745" in render(coded)
