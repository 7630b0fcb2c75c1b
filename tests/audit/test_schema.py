"""The page on audit.json names every key, and the example in docs is what it says."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from sensitivenets import audit, report
from sensitivenets.audit.certificates.bayes_error import BayesErrorEstimate
from sensitivenets.audit.certificates.certify import Certificates
from sensitivenets.audit.certificates.finite_outputs import FiniteBound
from sensitivenets.audit.certificates.label_forecast import LabelForecast, LabelledAccuracy
from sensitivenets.audit.certificates.moments import MomentCertificate
from sensitivenets.audit.certificates.power import Power
from sensitivenets.audit.correspondence import Correspondence
from sensitivenets.embeddings.collapse import Collapse
from sensitivenets.report.collusion import Collusion
from sensitivenets.report.rows import Population

DOCS = Path(__file__).parents[2] / "docs"
EARLIER = Path(__file__).parents[1] / "maps" / "saved_by_0_1" / "not_maps" / "audit.json"


@pytest.mark.parametrize(
    "record",
    [
        report.AuditRecord,
        audit.SplitSummary,
        audit.AttributeResult,
        audit.Threat,
        audit.Controls,
        audit.BatteryResult,
        audit.Headline,
        audit.AttackerResult,
        audit.Curve,
        audit.CurvePoint,
        audit.DescriptionLength,
        audit.ConfidentSubset,
        audit.Detection,
        audit.SeveralTemplates,
        audit.Subgroup,
        Correspondence,
        Population,
        Collusion,
        Collapse,
        Certificates,
        FiniteBound,
        MomentCertificate,
        LabelForecast,
        LabelledAccuracy,
        Power,
        BayesErrorEstimate,
    ],
)
def test_every_key_is_documented(record):
    named = set(re.findall(r"`(\w+)`", (DOCS / "audit_json.md").read_text(encoding="utf-8")))
    assert {field.name for field in dataclasses.fields(record)} <= named
    assert f"schema version {audit.SCHEMA_VERSION}" in (DOCS / "audit_json.md").read_text("utf-8")


def test_a_file_of_version_1_is_read_and_says_that_nothing_more_was_looked_for():
    document = json.loads(EARLIER.read_text(encoding="utf-8"))
    assert document["schema_version"] == 1
    read = report.load_json(EARLIER)
    assert read.attributes[0].before.confident == ()
    assert read.attributes[0].before.worst_subgroup is None
    assert (read.rows, read.correspondence, read.collusion, read.held) == (None, None, (), None)
    again = report.from_json(report.to_json(read))
    assert again.attributes == read.attributes


def test_what_an_earlier_version_wrote_is_written_as_it_was():
    earlier = json.loads(EARLIER.read_text(encoding="utf-8"))
    written = json.loads(report.to_json(report.load_json(EARLIER)))
    later = set(written) - set(earlier)
    assert later == {
        "rows",
        "correspondence",
        "collusion",
        "outsiders_read",
        "certificates",
        "left_out",
        "held",
        "drawn",
        "verdict",
    }
    text = json.dumps({key: written[key] for key in earlier})
    for name in ("confident", "detections", "several_templates"):
        text = text.replace(f'"{name}": [], ', "").replace(f', "{name}": []', "")
    text = text.replace(', "worst_subgroup": null', "")
    text = text.replace('"voting ensemble"', '"committee"')
    assert json.loads(text) == earlier | {"schema_version": audit.SCHEMA_VERSION}


def test_the_example_in_docs_is_whole():
    example = report.load_json(DOCS / "example-report" / "audit.json")
    text = (DOCS / "example-report" / "audit.json").read_text(encoding="utf-8")
    assert json.loads(text)["schema_version"] == audit.SCHEMA_VERSION
    assert "committee" not in text
    assert example.trustworthy
    assert [attribute.name for attribute in example.attributes] == ["gender", "ethnicity"]
    assert set(example.fairness) == {"attractive", "smiling"}
    assert example.recognition.before == example.verification[0].before.accuracy.estimate
    assert example.provenance.given.fairness == ("celeba_attractive.json", "celeba_smiling.json")
    page = (DOCS / "example-report" / "report.html").read_text(encoding="utf-8")
    assert f"{100 * example.attributes[0].strongest.balanced_accuracy:.1f}" in page
