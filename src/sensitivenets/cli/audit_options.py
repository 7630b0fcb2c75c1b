"""The options of ``sensitivenets audit``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sensitivenets.cli.options import Quick
from sensitivenets.cli.selection import refuse_report
from sensitivenets.errors import InputError

Columns = Annotated[list[str], Parameter(show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class AuditOptions:
    """What to attack, who attacks, and where the report goes.

    Attributes
    ----------
    out
        Folder for audit.json and report.html.
    attribute
        Attribute to attack, a column of the first table; give the option once for each.
    continuous
        Attribute that is a number, such as age; give the option once for each.
    identity
        Column that says who a row shows. No one is then on both sides of the attack, and
        verification is measured on the test rows.
    domain
        Column of the source of a row, such as a camera: with --identity, verification within
        sources and across them is measured apart as well.
    train
        COLUMN=VALUE of the rows that the attackers learn from; a random 70 % unless given.
    test
        COLUMN=VALUE of the rows that are attacked.
    apart
        Cosine: training rows this near to a test row, probably the same person, are left out.
        For tables without identities.
    model
        Model folder that made the second table: adds the attacks of whoever has it.
    unlabelled
        With --model, a table of any faces before the map: attackers push them through it and
        learn from where they go. Without it, the rows of BEFORE that are not attacked.
    outsiders
        With --model, a table of people who are in no row of BEFORE, with columns named as the
        attributes: attackers learn from them.
    also
        Another protected version of the same rows, by another map or key: adds the attack on both
        together; may be given several times.
    subgroup
        Column, such as age, by whose values to find the subgroup that is read best; may be given
        several times.
    quick
        Attack with the three attackers of the paper only: seconds, and easier to withstand.
    joint
        With --quick, also attack the attributes combined; the whole audit always does.
    curves
        Draw learning and feature-removal curves, which takes longer.
    certificates
        Work out bounds and forecasts beyond the attackers that are run, which takes longer.
    budget
        Minutes to stay within, roughly: the costliest attackers, the attributes combined and
        curves are left out as far as need be, and named.
    verification_before
        What `verify --json` wrote for embeddings before the map, for the report.
    verification_after
        The same after the map.
    fairness
        What `fairness --json` wrote, for the report; give the option once for each target.
    embedding
        Name of the embedding column.
    random_state
        The seed; the same seed gives the same report.
    save_pictures
        Also write every picture of the report as SVG and PNG, into the folder pictures of OUT.
    overwrite
        Replace a report that is already there.
    json
        Write the audit as JSON.
    """

    out: Path
    attribute: Columns = field(default_factory=list)
    continuous: Columns = field(default_factory=list)
    identity: str | None = None
    domain: str | None = None
    train: str | None = None
    test: str | None = None
    apart: float | None = None
    model: Path | None = None
    unlabelled: Path | None = None
    outsiders: Path | None = None
    also: Annotated[list[Path], Parameter(show_default=False)] = field(default_factory=list)
    subgroup: Columns = field(default_factory=list)
    quick: Quick = False
    joint: bool = False
    curves: Annotated[bool, Parameter(negative="--no-curves")] = True
    certificates: Annotated[bool, Parameter(negative="--no-certificates")] = True
    budget: float | None = None
    verification_before: Path | None = None
    verification_after: Path | None = None
    fairness: Annotated[list[Path], Parameter(show_default=False)] = field(default_factory=list)
    embedding: str = "embedding"
    random_state: int = 0
    save_pictures: bool = False
    overwrite: bool = False
    json: bool = False

    def __post_init__(self) -> None:
        if not self.attribute and not self.continuous:
            raise InputError("expected something to attack: --attribute or --continuous")
        if self.quick and (self.continuous or self.model or self.subgroup):
            raise InputError(
                "--quick: --continuous, --model and --subgroup need the whole audit; leave it out"
            )
        if self.domain is not None and self.identity is None:
            raise InputError(
                "--domain: expected --identity with it, as people are what is verified across "
                "sources; give both or neither"
            )
        refuse_report(self.out, overwrite=self.overwrite)
