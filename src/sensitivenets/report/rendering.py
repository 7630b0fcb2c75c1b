"""The page itself: a template filled with words, tables and pictures; everything is escaped."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from sensitivenets.report import numbers
from sensitivenets.report.certificates import certificate_tables
from sensitivenets.report.closer import closer_tables
from sensitivenets.report.details import (
    attacker_rows,
    batteries,
    description_lengths,
    flat,
    group_tables,
    verification_rows,
)
from sensitivenets.report.inline_svg import inline_svg
from sensitivenets.report.iso import iso_rows
from sensitivenets.report.not_tried import QUICK, not_tried, strongest_of
from sensitivenets.report.officer import retest_by, threat_models
from sensitivenets.report.pictures import ReportPicture, pictures
from sensitivenets.report.record import AuditRecord
from sensitivenets.report.scope import correspondence_text, scope_facts
from sensitivenets.report.summary import summarise
from sensitivenets.report.table_one import table_one
from sensitivenets.report.verdict import HIGH, LOW, MODERATE, NONE, verdict_of

_LEVEL_CLASSES = {NONE: "good", LOW: "good", MODERATE: "amber", HIGH: "bad", "not known": "bad"}


def render(audit: AuditRecord) -> str:
    """Draw the report of an audit as one self-contained HTML page.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    str
        HTML without scripts and without references to anything outside the page.
    """
    by_section: dict[str, list[dict[str, Any]]] = {}
    for picture in pictures(audit):
        by_section.setdefault(picture.section, []).append(_drawn(picture))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            audit=audit,
            summary=summarise(audit),
            verdict=verdict_of(audit),
            strongest=strongest_of(audit),
            groups=table_one(audit),
            attributes=audit.everything,
            pictures=by_section,
            experiments=audit.verification,
            fairness=list(audit.fairness.values()),
            provenance=flat(audit.provenance.to_dict()),
            given=audit.provenance.given,
            two_tables=audit.n_features_after is not None,
        )
    )


def _drawn(picture: ReportPicture) -> dict[str, Any]:
    svg = inline_svg(picture.draw(), picture.name, picture.description)
    return {"svg": svg, "description": picture.description}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sensitivenets.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = files("sensitivenets.report").joinpath("templates/report.css").read_text("utf-8")
    environment.globals |= {
        "style": Markup(style),
        "attacker_rows": attacker_rows,
        "batteries": batteries,
        "description_lengths": description_lengths,
        "verification_rows": verification_rows,
        "group_tables": group_tables,
        "certificate_tables": certificate_tables,
        "closer_tables": closer_tables,
        "iso_rows": iso_rows,
        "not_tried": not_tried,
        "quick_text": QUICK,
        "retest_by": retest_by,
        "scope_facts": scope_facts,
        "threat_models": threat_models,
        "verdict_of": verdict_of,
        "correspondence_text": correspondence_text,
        "level_class": _LEVEL_CLASSES.get,
    }
    environment.filters |= {
        "percent": numbers.percent,
        "points": numbers.points,
        "count": numbers.count,
        "plain": numbers.plain,
    }
    environment.globals["interval"] = numbers.interval
    return environment
