"""What audit.json holds: the attack, and the evidence beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

from sensitivenets.audit.certificates.certify import Certificates
from sensitivenets.audit.correspondence import Correspondence
from sensitivenets.audit.results import AttributeResult, AuditResult, Headline
from sensitivenets.embeddings.tsne import MapPair
from sensitivenets.errors import InputError
from sensitivenets.fairness import EqualityOfOpportunity
from sensitivenets.report.collusion import Collusion
from sensitivenets.report.provenance import Provenance
from sensitivenets.report.recognition import (
    Experiment,
    Recognition,
    read_experiments,
    recognition,
    write_experiments,
)
from sensitivenets.report.rows import Population
from sensitivenets.serialisation import decode, decode_fields, encode, encode_fields

_EVIDENCE = ("verification", "fairness", "maps", "provenance")
# What an earlier version did not know.
_ROWS = ("rows", "correspondence", "collusion", "outsiders_read", "certificates", "held", "drawn")
_VERSIONS = ("library_version", "schema_version")


@dataclass(frozen=True)
class AuditRecord(AuditResult):
    """An audit with its evidence; everything a report is drawn from.

    Attributes
    ----------
    verification : tuple of Experiment
        What was kept, one a protocol.
    fairness : dict of str to EqualityOfOpportunity
        Equality of opportunity, by target.
    maps : MapPair or None
        The t-SNE map of a sample of rows, before and after.
    provenance : Provenance
        What was audited: files, fingerprints, the model.
    rows : Population or None
        Whether the map had seen the rows that were attacked; None where one table was audited.
    correspondence : Correspondence or None
        Whether the rows of the two tables belong together; None where one table was audited.
    collusion : tuple of Collusion
        What several protected versions of the rows tell together.
    outsiders_read : dict of str to Headline
        What the table teaches about people who are not in it, by attribute, where such were given.
    certificates : Certificates or None
        What can be said beyond the attackers that were run.
    held : AuditRecord or None
        The same audit of the rows that the map was fitted on or adapted to, where the table has
        such rows and others; this one is then of the others.
    drawn : str or None
        How the rows were drawn, where a table has too many to attack all of them.
    """

    verification: tuple[Experiment, ...] = ()
    fairness: dict[str, EqualityOfOpportunity] = field(default_factory=dict)
    maps: MapPair | None = None
    provenance: Provenance = field(default_factory=Provenance)
    rows: Population | None = None
    correspondence: Correspondence | None = None
    collusion: tuple[Collusion, ...] = ()
    outsiders_read: dict[str, Headline] = field(default_factory=dict)
    certificates: Certificates | None = None
    held: AuditRecord | None = None
    drawn: str | None = None

    @property
    def recognition(self) -> Recognition | None:
        """The one figure for what was kept; None if verification was not measured."""
        return recognition(self.verification)

    @property
    def everything(self) -> tuple[AttributeResult, ...]:
        """Every attribute that was attacked, the joint one last."""
        return (*self.attributes, *([] if self.joint is None else [self.joint]))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object of audit.json."""
        found = encode_fields(self)
        found["verification"] = encode(write_experiments(self.verification))
        found["maps"] = found["maps"] or {}
        last = {name: found.pop(name) for name in (*_EVIDENCE, *_ROWS, *_VERSIONS)}
        return found | last

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild from what `to_dict` returned.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type.
        """
        attack = {k: value for k, value in data.items() if k not in (*_EVIDENCE, *_ROWS)}
        result = decode_fields(attack, AuditResult, "audit")
        assert isinstance(result, AuditResult)
        parts = {name: data.get(name) for name in _EVIDENCE}
        for name, part in parts.items():
            if not isinstance(part, Mapping):
                raise InputError(f"audit.{name}: expected an object, found {part!r:.60}")
        missing = [name for name in _ROWS if name not in data]
        if missing:
            raise InputError(f"audit: expected the field {missing[0]!r}; run it again")
        return cls.of(
            result,
            verification=read_experiments(parts["verification"] or {}),
            fairness=decode(parts["fairness"], dict[str, EqualityOfOpportunity], "audit.fairness"),
            maps=MapPair.from_dict(parts["maps"]) if parts["maps"] else None,
            provenance=Provenance.from_dict(parts["provenance"] or {}),
            rows=decode(data["rows"], Population | None, "audit.rows"),
            correspondence=decode(
                data["correspondence"], Correspondence | None, "audit.correspondence"
            ),
            collusion=decode(data["collusion"], tuple[Collusion, ...], "audit.collusion"),
            outsiders_read=decode(
                data["outsiders_read"], dict[str, Headline], "audit.outsiders_read"
            ),
            certificates=decode(data["certificates"], Certificates | None, "audit.certificates"),
            held=None if data["held"] is None else cls.from_dict(data["held"]),
            drawn=decode(data["drawn"], str | None, "audit.drawn"),
        )

    @classmethod
    def of(
        cls,
        result: AuditResult,
        *,
        verification: tuple[Experiment, ...] = (),
        fairness: Mapping[str, EqualityOfOpportunity] | None = None,
        maps: MapPair | None = None,
        provenance: Provenance | None = None,
        rows: Population | None = None,
        correspondence: Correspondence | None = None,
        collusion: tuple[Collusion, ...] = (),
        outsiders_read: Mapping[str, Headline] | None = None,
        certificates: Certificates | None = None,
        held: AuditRecord | None = None,
        drawn: str | None = None,
    ) -> Self:
        """Put evidence beside what the attackers found."""
        found = {f.name: getattr(result, f.name) for f in fields(AuditResult)}
        evidence = {
            "verification": verification,
            "fairness": dict(fairness or {}),
            "maps": maps,
            "provenance": provenance or Provenance(),
            "rows": rows,
            "correspondence": correspondence,
            "collusion": collusion,
            "outsiders_read": dict(outsiders_read or {}),
            "certificates": certificates,
            "held": held,
            "drawn": drawn,
        }
        return cls(**(found | evidence))


def as_record(result: AuditResult) -> AuditRecord:
    """Return what audit.json holds of a result: without evidence if it brings none."""
    return result if isinstance(result, AuditRecord) else AuditRecord.of(result)
