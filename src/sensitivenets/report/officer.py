"""The page for a data protection officer: who may attack, with what, and what is left."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sensitivenets.audit.results import Headline
from sensitivenets.report.numbers import count, interval, percent
from sensitivenets.report.record import AuditRecord
from sensitivenets.report.verdict import level_of

_YEARS_UNTIL_RETEST = 1
_NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class ThreatModel:
    """One kind of adversary.

    Attributes
    ----------
    name : str
        What the field calls it.
    means : str
        What this adversary has.
    risk : tuple of str
        What is left to read, one line an attribute; or that it was not measured.
    """

    name: str
    means: str
    risk: tuple[str, ...]


def threat_models(audit: AuditRecord) -> tuple[ThreatModel, ...]:
    """List adversaries from the weakest to the strongest, with what was measured of each.

    Parameters
    ----------
    audit : AuditRecord
        Of two tables.

    Returns
    -------
    tuple of ThreatModel
        Naive, map secret, map public, collusion, outsiders, insider.
    """
    labels = f"{count(audit.split.n_train)} labelled embeddings of other people"
    return (
        ThreatModel(
            "Naive",
            "the new embeddings, and a classifier made for the old ones",
            ("not measured apart: whoever trains anew, as below, reads more",),
        ),
        ThreatModel(
            "Map secret",
            f"the new embeddings and {labels}, also after the map",
            _risks(audit, _reached(audit, "map secret")),
        ),
        ThreatModel(
            "Map public",
            "the same, and the map: can push any rows through it, and tries to undo it",
            _risks(audit, _reached(audit, "map public")),
        ),
        ThreatModel(
            "Collusion",
            "several protected versions of the same people, by other maps or keys",
            _risks(audit, {one.attribute: one.strongest for one in audit.collusion}),
        ),
        ThreatModel(
            "Outsiders",
            "labels of this table, used on people who are not in it",
            _risks(audit, audit.outsiders_read),
        ),
        ThreatModel(
            "Insider",
            "the embeddings as they were before the map, or the key",
            _risks(audit, {one.name: one.before.strongest for one in audit.attributes}),
        ),
    )


def _reached(audit: AuditRecord, name: str) -> dict[str, Headline]:
    return {
        one.name: threat.strongest
        for one in audit.attributes
        for threat in one.threats
        if threat.name == name
    }


def _risks(audit: AuditRecord, tops: dict[str, Headline]) -> tuple[str, ...]:
    lines = []
    for one in audit.attributes:
        top = tops.get(one.name)
        if top is not None:
            level = level_of(top, one.chance) if audit.trustworthy else "not known"
            lines.append(
                f"{one.name}: {level}, {percent(top.balanced_accuracy)} "
                f"{interval(top.low, top.high)} (a guess: {percent(one.chance)})"
            )
    return tuple(lines) or (_NOT_MEASURED,)


def retest_by(audit: AuditRecord) -> str | None:
    """Return the day a year after the audit; None if its day is not known."""
    if audit.provenance.date is None:
        return None
    day = date.fromisoformat(audit.provenance.date)
    # The 29th of February has no anniversary.
    return day.replace(
        year=day.year + _YEARS_UNTIL_RETEST, day=min(day.day, 28) if day.month == 2 else day.day
    ).isoformat()
