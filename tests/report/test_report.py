import dataclasses
import json
import math
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from sensitivenets.audit import SCHEMA_VERSION
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.report import Experiment, Provenance, TableOrigin, to_json, write_report
from sensitivenets.report.numbers import percent
from sensitivenets.report.pictures import pictures
from sensitivenets.report.table_one import table_one
from sensitivenets.verification import GroupComparison, GroupRates, RateRatio

VOID = {"meta", "br", "img", "link", "input", "hr"}
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}</style> $x_1$ \x08 中"


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that what is opened is closed."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def written(audit, tmp_path_factory):
    return write_report(audit, tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="module")
def page(written):
    return Page(written.html.read_text("utf-8"))


def of_groups(second):
    """Two groups, the second too small for a false match rate, and unboundedly worse."""
    rate = Estimate(0.02, 0.01, 0.03, 100)
    why = f"group '{second}' has 3 subjects, at least 20 needed"
    return GroupComparison(
        "gender",
        0.001,
        0.4,
        (
            GroupRates("Female", rate, rate, None, None, 30, 40, 400),
            GroupRates(second, None, rate, why, None, 30, 40, 400),
        ),
        RateRatio(refused="figures of at least 2 groups needed, found 1"),
        RateRatio(2.0, 1.5, math.inf, "Female", second),
    )


@pytest.fixture(scope="module")
def hostile(audit, gender):
    """Return the audit with names that try to break out of the page wherever a user can put one."""
    bad = dataclasses.replace(
        gender, name=HOSTILE, classes=(HOSTILE, "Male"), trustworthy=False, reasons=(HOSTILE,)
    )
    fairness = dataclasses.replace(audit.fairness["smiling"], target=HOSTILE, favoured=HOSTILE)
    groups = (("Female", HOSTILE), *audit.maps.groups[1:])
    maps = dataclasses.replace(audit.maps, groups=groups, attributes=(HOSTILE, "ethnicity"))
    measured = dataclasses.replace(audit.verification[0].before, groups=(of_groups(HOSTILE),))
    return dataclasses.replace(
        audit,
        attributes=(bad, *audit.attributes[1:]),
        trustworthy=False,
        reasons=(HOSTILE,),
        notes=(HOSTILE,),
        fairness={HOSTILE: fairness},
        maps=maps,
        verification=(Experiment(measured),),
        provenance=Provenance(before=TableOrigin(HOSTILE), remarks={HOSTILE: HOSTILE}),
    )


@pytest.fixture(scope="module")
def hostile_written(hostile, tmp_path_factory):
    return write_report(hostile, tmp_path_factory.mktemp("hostile"))


def test_page_is_balanced_and_complete(page):
    assert page.tags.count("html") == page.tags.count("body") == page.tags.count("h1") == 1
    assert ("html", "lang", "en") in page.attributes
    assert any(value == "width=device-width, initial-scale=1" for _, _, value in page.attributes)


def test_page_stands_alone(written, page):
    text = written.html.read_text("utf-8")
    assert "://" not in text
    assert not {"script", "link", "iframe", "img", "object", "base", "form"} & set(page.tags)
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        if name in {"href", "src", "xlink:href"}:
            assert value.startswith(("#", "data:image/png;base64,"))
    assert "@import" not in text
    assert text.count("url(") == text.count("url(#")
    assert "default-src 'none'" in text
    assert text.count("<style>") == 1  # the pictures bring none of their own


def test_parts_of_pictures_refer_to_their_own_picture(page):
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = {
        value[1:] for _, name, value in page.attributes if name == "href" and value[0] == "#"
    }
    assert targets
    assert targets <= set(ids)


def test_page_follows_dark_mode_paper_and_phone(written):
    text = written.html.read_text("utf-8")
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert "@media (max-width" in text
    assert "#1f2328" not in text.split("</style>")[1]  # ink comes from the theme
    assert "var(--series-1)" in text.split("</style>")[1]


def test_every_picture_says_what_it_shows(page):
    described = [v for tag, name, v in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert len(described) == page.tags.count("svg") == 11
    assert all(len(text) > 20 for text in described)


def test_first_screen_answers_the_four_questions_before_any_table(page):
    first = page.text.split("Before and after")[0]
    assert "Measurement valid. Leak: moderate." in first
    assert "reduce what can be inferred about gender by 70\xa0%" in first.replace(" %", "\xa0%")
    for heading in ("Removed", "Kept", "Still leaks", "What was not tried", "Date"):
        assert heading in first


def test_wording_promises_nothing(page):
    assert "anonym" not in page.text.lower()
    assert "another attacker, or more labelled data, may read more" in page.text
    assert "still personal data" in page.text


def test_table_one_has_the_figures_of_the_json(written, page):
    text = page.text.replace("\xa0", " ")
    data = json.loads(written.json.read_text("utf-8"))
    strongest = data["attributes"][0]["strongest"]["balanced_accuracy"]
    assert f"gender 90.0 % [87.0, 93.0] {100 * strongest:.1f} % [59.0, 65.0] 70.0 %" in text
    assert "verification accuracy 99.6 % [98.6, 100.1] 97.2 % [96.2, 97.7] 4.8 % 50.0 %" in text
    for title in ("Neural network (NN)", "Support vector machine (SVM)", "Random forest (RF)"):
        assert title in text


def test_table_one_has_one_line_an_attribute_whatever_the_battery_calls_its_attackers(alone):
    def renamed(name):
        return {"NN": "MLP", "RF": "random forest"}.get(name, name)

    def lines(audit):
        return {group.title: [row.task for row in group.rows] for group in table_one(audit)}

    attributes = []
    for attribute in alone.attributes:
        attackers = tuple(
            dataclasses.replace(result, attacker=renamed(result.attacker))
            for result in attribute.before.attackers
        )
        before = dataclasses.replace(attribute.before, attackers=attackers)
        attributes.append(dataclasses.replace(attribute, before=before))
    assert lines(alone)["Support vector machine (SVM)"] == ["gender", "ethnicity"]
    assert lines(dataclasses.replace(alone, attributes=tuple(attributes))) == lines(alone)


def test_every_attacker_is_listed_and_failures_are_told(page, gender):
    text = page.text.replace("\xa0", " ")
    assert "All 14 attackers on gender" in text
    assert "before: failed: singular covariance" in text
    for result in gender.after.attackers:
        assert f"{100 * result.balanced_accuracy:.1f} %" in text


def test_details_are_all_there(page):
    text = page.text.replace("\xa0", " ")
    for expected in (
        "also knows the map, and tries to undo it",
        "Shuffled labels: 50.0 % for the strongest attacker",
        "A random projection to the same rank: 85.0 %",
        "Bits to write down the label of a row: 0.40 before",
        "Given pairs (LFW view 2)",
        "FMR 0.0001 is below the resolution of 3000 impostor comparisons",
        "it recovered 40 % of the variance",
        "+30.0 [26.0, 34.0]",
        "12 rows without a label were left out",
        "A picture proves nothing",
        "lfw.parquet",
        "cd" * 32,
        "1 attacker failed: QDA, raw",
        f"schema version {SCHEMA_VERSION}",
    ):
        assert expected in text, expected


def test_a_negative_figure_has_a_minus_sign():
    assert percent(-0.0031) == "−0.3\N{NO-BREAK SPACE}%"
    assert percent(0.618) == "61.8\N{NO-BREAK SPACE}%"


@pytest.mark.usefixtures("undrawn")
def test_groups_and_refusals_are_shown(audit, alone, over_all_pairs, tmp_path):
    given = audit.verification[0].after
    all_pairs = over_all_pairs(given, (of_groups("Male"),))
    verification = (Experiment(None, given, "pairs"), Experiment(None, all_pairs, "all"))
    result = dataclasses.replace(alone, verification=verification)
    text = Page(write_report(result, tmp_path).html.read_text("utf-8")).text.replace("\xa0", " ")
    assert "Given pairs (LFW view 2)" in text
    assert "All pairs of the table" in text
    assert "gender, one threshold for all: false match rate of 0.1 % overall" in text
    assert "Male refused 2.00 % [1.0, 3.0]" in text
    assert "Male, false matches: group 'Male' has 3 subjects, at least 20 needed" in text
    ratio = "Largest over smallest, false matches: figures of at least 2 groups needed, found 1"
    assert ratio in text
    assert "2.0 [1.5, ∞]" in text


def test_hostile_names_stay_text(hostile_written):
    text = hostile_written.html.read_text("utf-8")
    page = Page(text)
    assert not {"script", "img"} & set(page.tags)
    assert text.count("</style>") == 1
    assert "<script" not in text
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert page.text.count("<script>alert(1)</script>") > 10
    assert "{{ 7*7 }}" in page.text


def test_long_names_do_not_break_the_pictures(alone, tmp_path):
    long = dataclasses.replace(alone.attributes[0], name="attribute " * 40)
    result = dataclasses.replace(alone, attributes=(long, *alone.attributes[1:]))
    Page(write_report(result, tmp_path).html.read_text("utf-8"))


@pytest.mark.usefixtures("undrawn")
def test_audit_of_one_table(alone, tmp_path):
    text = Page(write_report(alone, tmp_path).html.read_text("utf-8")).text.replace("\xa0", " ")
    assert (
        "Audited alone, these embeddings let the strongest of three attackers tell gender in"
        in text
    )
    assert "Removed" not in text
    assert "Reduction" not in text
    assert "gender 90.0 % [87.0, 93.0] 50.0 %" in text


@pytest.mark.usefixtures("undrawn")
def test_continuous_attributes_have_a_table(alone, tmp_path):
    from sensitivenets.audit import ContinuousResult, RegressionResult, RegressorResult

    def regression(representation, r2):
        top = RegressorResult("ridge", "standardised", r2, r2 - 0.1, r2 + 0.1, 6.25, 100)
        return RegressionResult(representation, top, (top,))

    age = ContinuousResult(
        name="age",
        n_train=900,
        n_test=100,
        mean_predictor_mae=9.5,
        before=regression("before", 0.6),
        after=regression("after", 0.25),
        inverted=None,
        shuffled=regression("shuffled labels", -0.01),
        reduction=0.58,
        trustworthy=True,
    )
    result = dataclasses.replace(alone, continuous=(age,), n_features_after=128)
    text = Page(write_report(result, tmp_path).html.read_text("utf-8")).text.replace("\xa0", " ")
    assert "Before 0.60 [0.5, 0.7] 6.25" in text
    assert "Shuffled values (control) −0.01" in text
    assert "and still let it predict age with R² 0.25" in text
    assert "age: off by 6.25 on average (9.50 for who knows only the mean)" in text


@pytest.mark.usefixtures("undrawn")
def test_result_json_object_and_file_give_the_same_report(alone, tmp_path):
    written = write_report(alone, tmp_path)
    as_object = write_report(json.loads(to_json(alone)), tmp_path / "a")
    as_file = write_report(written.json, tmp_path / "b")
    for other in (as_object, as_file):
        assert other.html.read_bytes() == written.html.read_bytes()
        assert other.json.read_bytes() == written.json.read_bytes()
    assert as_file.pictures == ()
    assert sorted(p.name for p in as_file.html.parent.iterdir()) == ["audit.json", "report.html"]


def test_all_pictures_are_saved_twice(audit, alone, tmp_path):
    files = write_report(alone, tmp_path, save_pictures=True)
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    stems = ("attackers-0", "attackers-1", "features-removed", "labels")
    assert names == {f"{stem}.{ending}" for stem in stems for ending in ("svg", "png")}
    assert {path.name for path in files.pictures} == names  # one table has no map
    everything = [picture.name for picture in pictures(audit)]
    assert {"privacy-utility", "map-before", "map-after", "roc-0", "det-0"} < set(everything)
    assert len(everything) == len(set(everything)) == 11


def test_messages(audit, tmp_path):
    with pytest.raises(InputError, match=r"none.json: expected an audit.json"):
        write_report(tmp_path / "none.json", tmp_path)
    with pytest.raises(InputError, match="schema_version"):
        write_report({"a": 1}, tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder to write the report to, found a file"):
        write_report(audit, tmp_path / "file")
    newer = json.loads(to_json(audit)) | {"schema_version": 99}
    with pytest.raises(InputError, match="expected schema_version up to"):
        write_report(newer, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def open_in_chromium(path):
    flags = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync"
    flags += " --disable-background-networking --disable-component-update --enable-logging=stderr"
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            [
                shutil.which("chromium"),
                *flags.split(),
                f"--user-data-dir={profile}",
                "--dump-dom",
                Path(path).as_uri(),
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_browser_loads_it_without_a_word(written, hostile_written, tmp_path):
    for path in (written.html, hostile_written.html):
        seen = open_in_chromium(path)
        assert "This page loads nothing from elsewhere" in seen.stdout
        assert "CONSOLE" not in seen.stderr, seen.stderr
    # The test can fail: the browser does complain about a page that asks for something.
    broken = tmp_path / "broken.html"
    page = written.html.read_text("utf-8")
    broken.write_text(page.replace("</main>", '<img src="https://example.org/a.png"></main>'))
    assert "CONSOLE" in open_in_chromium(broken).stderr
