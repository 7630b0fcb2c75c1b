"""The page on audit.json names every key, and the example in docs is what it says."""

import dataclasses
import re
from pathlib import Path

import pytest

from sensitivenets import audit
from sensitivenets.embeddings.collapse import Collapse

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    "record",
    [
        audit.AuditResult,
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
        Collapse,
    ],
)
def test_every_key_is_documented(record):
    named = set(re.findall(r"`(\w+)`", (DOCS / "audit_json.md").read_text(encoding="utf-8")))
    assert {field.name for field in dataclasses.fields(record)} <= named
    assert f"schema version {audit.SCHEMA_VERSION}" in (DOCS / "audit_json.md").read_text("utf-8")


def test_the_example_in_docs_is_whole():
    example = audit.load_json(DOCS / "example-report" / "audit.json")
    assert example.trustworthy
    assert [attribute.name for attribute in example.attributes] == ["gender", "ethnicity"]
    assert set(example.fairness) == {"attractive", "smiling"}
    page = (DOCS / "example-report" / "report.html").read_text(encoding="utf-8")
    assert f"{100 * example.attributes[0].strongest.balanced_accuracy:.1f}" in page
