"""`sensitivenets.audit` as a person calls it: what it takes and returns, how it is imported."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

import sensitivenets
from sensitivenets.audit import Split
from sensitivenets.datasets.synthetic import synthetic_diveface
from sensitivenets.embeddings import encode
from sensitivenets.embeddings.fingerprint import fingerprint
from sensitivenets.errors import DataWarning, InputError
from sensitivenets.maps.base import Model
from sensitivenets.report import Audit, to_json
from sensitivenets.report.inputs import NOT_IDENTIFIED, part_rows, read_inputs
from sensitivenets.report.provenance import ModelOrigin, Provenance, TableOrigin


@pytest.fixture(scope="module")
def table():
    return synthetic_diveface(60)


@pytest.fixture(scope="module")
def found(table):
    after = table.with_vectors(table.vectors[:, ::-1].copy())
    return sensitivenets.audit(table, after, ["gender"], identity="subject", quick=True, n_jobs=1)


def test_the_name_is_a_package_and_a_function_in_any_order():
    orders = [
        "import sensitivenets; call = sensitivenets.audit",
        "from sensitivenets import audit as call",
        "from sensitivenets.audit import split_rows; from sensitivenets import audit as call",
        "import sensitivenets.audit.splits; sensitivenets.audit.splits.split_rows; "
        "call = sensitivenets.audit",
        "from sensitivenets.report import audit; import sensitivenets.audit as call; "
        "from sensitivenets.audit import audit, quick_audit, AuditResult",
        "import sensitivenets; call = sensitivenets.audit; import sensitivenets.audit.splits; "
        "from sensitivenets.audit import split_rows; sensitivenets.audit.split_rows",
    ]
    check = (
        "import inspect; assert 'identity' in inspect.signature(call).parameters\n"
        "try: call([[1.0]], attributes='gender')\n"
        "except Exception as error: assert 'an array has no columns' in str(error), error\n"
        "else: raise AssertionError\n"
        "import sys; assert not {'torch', 'matplotlib', 'jinja2'} & set(sys.modules)"
    )
    # A child for each, of an interpreter that has loaded what takes time and nothing of ours.
    fork = (
        "import os, sys, sklearn.neural_network, sklearn.ensemble, pyarrow.parquet\n"
        "for order in sys.argv[2:]:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        exec(order + '\\n' + sys.argv[1])\n"
        "        os._exit(0)\n"
        "    assert os.waitpid(child, 0)[1] == 0, order\n"
    )
    subprocess.run([sys.executable, "-c", fork, check, *orders], check=True)


def test_the_result_is_one_screen_without_an_embedding(found, table):
    text = repr(found)
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100
    for part in (
        "Quick audit",
        "recognition",
        "gender",
        "before",
        "reduction",
        "Measurement",
        "three attackers, none whitens",
        "[",
    ):
        assert part in text
    assert str(float(table.vectors[0, 0]))[:6] not in text
    assert "array" not in text


def test_many_attributes_still_fit_one_screen(audit):
    crowd = tuple(dataclasses.replace(audit.attributes[0], name=f"a{k}") for k in range(50))
    many = Audit.of(dataclasses.replace(audit, attributes=crowd))
    assert len(repr(many).splitlines()) <= 32
    assert "... and 31 more: see to_frame()" in repr(many)
    assert len(many.to_frame()) == 51


def test_an_untrusted_audit_says_so(audit):
    bad = Audit.of(dataclasses.replace(audit, trustworthy=False, reasons=("gender: broken",)))
    said, figures = repr(bad).split("\n\n")[1:3]
    assert said == "Measurement not valid. Leak: not known.\n  gender: broken"
    assert figures.split()[:2] == ["before", "after"]


def test_the_notebook_view_escapes_names(audit):
    first = dataclasses.replace(audit.attributes[0], name="<b>&")
    view = Audit.of(dataclasses.replace(audit, attributes=(first,)))._repr_html_()
    assert "&lt;b&gt;&amp;" in view
    assert "<b>" not in view


def test_the_frame_has_the_figures_of_the_record(found):
    frame = found.to_frame().set_index("name")
    assert list(frame.index) == ["recognition", "gender"]
    assert frame.loc["gender", "after"] == found.attributes[0].strongest.balanced_accuracy
    assert frame.loc["recognition", "before"] == 1 - found.verification[0].before.eer.value


def test_without_pandas_the_frame_says_what_to_install(found, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install pandas"):
        found.to_frame()


def test_evidence_is_typed_and_comes_back_from_the_file(found, table, tmp_path):
    files = found.write_report(tmp_path)
    again = Audit.load(files.json)
    assert to_json(again) == to_json(found)
    assert again.provenance.before.rows == len(table)
    assert again.provenance.after.features == table.dim
    assert again.verification[0].title == "All pairs of the table"
    assert repr(again) == repr(found)
    found.save(tmp_path / "b.json")
    assert (tmp_path / "b.json").read_bytes() == files.json.read_bytes()


def test_the_split_keeps_identities_apart_or_says_that_it_cannot(table):
    known = read_inputs(table, None, "gender", None, "subject")
    split, notes = part_rows(known, None, None, 0)
    subject = np.asarray(table.column("subject"))
    assert not set(subject[split.train]) & set(subject[split.test])
    assert notes == ()
    with pytest.warns(DataWarning, match="probably the same person"):
        found = part_rows(dataclasses.replace(known, subject=None), None, None, 0)[1]
    assert found[0] == NOT_IDENTIFIED
    assert "have a training row at a cosine above" in found[1]


def test_labels_may_be_columns_a_mapping_or_one_array(table):
    gender = np.asarray(table.column("gender"))
    expected = table.labels("gender").codes
    forms = {
        "gender": ["gender", ["gender"], {"gender": gender}, {"gender": encode("x", gender)}],
        "sensitive": [gender, list(gender)],
    }
    for name, given in forms.items():
        for attributes in given:
            inputs = read_inputs(table, None, attributes, None, None)
            assert list(inputs.attributes) == [name]
            assert inputs.attributes[name].name == name
            np.testing.assert_array_equal(inputs.attributes[name].codes, expected)
    arrays = read_inputs(table.vectors, None, {"gender": gender}, None, np.arange(len(table)))
    assert len(arrays.subject.classes) == len(table)


def test_numbers_may_be_columns_or_a_mapping(table):
    age = pa.array([None, *np.arange(1.0, len(table))])
    aged = dataclasses.replace(table, columns=table.columns.append_column("age", age))
    for given in ("age", ["age"], {"age": [np.nan, *np.arange(1.0, len(table))]}):
        numbers = read_inputs(aged, None, None, given, None).continuous["age"]
        assert np.isnan(numbers[0])
        assert numbers[5] == 5
    with pytest.raises(InputError, match="expected numbers, found"):
        read_inputs(table, None, None, "gender", None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"attributes": "gendre"}, "no column 'gendre'; did you mean 'gender'"),
        ({"attributes": None}, "expected at least one attribute, found none"),
        ({"identity": [1, 2]}, "identity: expected one for each of 180 rows, found 2"),
        ({"apart": 2}, "apart: cosine: expected a number above -1"),
        ({"continuous": "age", "quick": True}, "quick: continuous needs the whole audit"),
        ({"verification": {"befor": "v.json"}}, "expected 'before' and 'after', found .'befor'"),
        ({"fairness": ["none.json"]}, "none.json: no such file"),
    ],
)
def test_what_does_not_fit_is_refused_before_the_attack(table, changed, message):
    with pytest.raises(InputError, match=message):
        sensitivenets.audit(table, **{"attributes": "gender", "n_jobs": 1} | changed)


def test_what_cannot_be_measured_beside_an_audit_is_said_and_noted(table):
    from sensitivenets.report.evidence import draw_maps, measure_verification

    # One row of each of nine subjects: no genuine pair, and too few points for a map.
    few = table.take(np.arange(0, 90, 3))
    inputs = read_inputs(few, None, "gender", None, "subject")
    split = Split(np.arange(21), np.arange(21, 30), inputs.subject)
    with pytest.warns(DataWarning, match="verification: not measured, identity 'subject'"):
        kept, notes = measure_verification(inputs, split, 0)
    assert kept == ()
    assert notes[0].startswith("verification: not measured")
    with pytest.warns(DataWarning, match="maps: not drawn, expected at least 10 rows"):
        assert draw_maps(inputs, split, 0)[0] is None


def test_verification_within_and_across_sources_stands_beside_an_audit(table):
    from sensitivenets.report.details import group_tables, verification_rows
    from sensitivenets.report.evidence import measure_verification

    camera = np.array(["a", "b"])[np.arange(len(table)) % 2]
    inputs = read_inputs(table, None, "gender", None, "subject", domain=camera)
    split = Split(np.arange(21), np.arange(21, len(table)), inputs.subject)
    [experiment], _ = measure_verification(inputs, split, 0)
    labels = [row.label for row in verification_rows(experiment)]
    assert "Equal error rate within domain" in labels
    assert "False non-match rate across domain at a false match rate of 1 %" in labels
    first = group_tables(experiment)[0]
    assert first.title.startswith("domain, one threshold for all")
    assert [row.label for row in first.rows][:2] == ["within", "across"]
    with pytest.raises(InputError, match="domain: expected one for each of 180 rows, found 2"):
        read_inputs(table, None, "gender", None, "subject", domain=["a", "b"])


def test_provenance_of_an_earlier_file_keeps_what_it_does_not_know():
    data = {"before": {"file": "a", "sha256": "ab", "rows": 3}, "command": "x", "n": [1]}
    provenance = Provenance.from_dict(data)
    assert provenance.before.digests == {"sha256": "ab"}
    assert json.loads(json.dumps(provenance.to_dict())) == data | {"n": "[1]"}


def test_a_model_in_hand_is_named_and_its_table_recognised(table):
    fitted = Model(
        map=None,
        method="LEACE",
        parameters={},
        removed={"gender": ("Female", "Male")},
        fingerprint={"primary": fingerprint(table.vectors)},
    )
    before = TableOrigin.of(table.vectors, "t.parquet")
    origin = ModelOrigin.of(fitted, None, before)
    assert origin == ModelOrigin("LEACE", "gender", None, "this table, before the map")
    assert ModelOrigin.from_dict(origin.to_dict()) == origin
    other = TableOrigin.of(table.vectors[:-1], None)
    assert ModelOrigin.of(fitted, None, other).fitted_on == "another table"


def test_a_data_frame_is_read_and_its_labels_follow_its_index(table):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(table.vectors, index=[f"row {k}" for k in range(len(table))])
    gender = pd.Series(np.asarray(table.column("gender")), index=frame.index, name="gender")
    inputs = read_inputs(frame, None, gender[::-1], {"age": gender.str.len()[::-1]}, gender[::-1])
    np.testing.assert_array_equal(inputs.before, table.vectors)
    np.testing.assert_array_equal(inputs.attributes["gender"].codes, table.labels("gender").codes)
    np.testing.assert_array_equal(inputs.subject.codes, table.labels("gender").codes)
    np.testing.assert_array_equal(inputs.continuous["age"], gender.str.len())
