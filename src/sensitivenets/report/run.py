"""One audit of one set of rows: the attack, and the evidence beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import ClassifierMixin

from sensitivenets.audit import audits as attacks
from sensitivenets.audit.advantages.gather import Material, gather, outsiders_read
from sensitivenets.audit.advantages.rows_on_top import LabelledRows
from sensitivenets.audit.attack import Advantage, Workers
from sensitivenets.audit.certificates.certify import Certificates, certify
from sensitivenets.audit.correspondence import Correspondence
from sensitivenets.audit.results import AuditResult, Headline
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import FloatArray
from sensitivenets.fairness import EqualityOfOpportunity
from sensitivenets.progress import Progress
from sensitivenets.report.collusion import Collusion
from sensitivenets.report.evidence import draw_maps, measure_verification
from sensitivenets.report.inputs import AuditInputs, crossed
from sensitivenets.report.provenance import Provenance
from sensitivenets.report.recognition import Experiment
from sensitivenets.report.result import Audit
from sensitivenets.report.rows import Population

# Minutes of one core that the certificates of an attribute take.
_CERTIFICATE_MINUTES = 0.25


@dataclass(frozen=True)
class Means:
    """What the attackers have and how they are run.

    Attributes
    ----------
    quick, joint, curves, maps, certificates : bool
        As in `audits.audit`.
    attackers : mapping of str to scikit-learn classifier, or None
        More attackers.
    material : Material
        What an adversary has on top: the map, faces without labels, outsiders.
    versions : tuple of ndarray
        More protected versions of the same rows.
    budget : float or None
        Minutes to stay within.
    random_state : int
        The seed.
    workers : Workers
        Who runs the attackers.
    progress : Progress or None
        Told of each step.
    """

    quick: bool
    joint: bool
    curves: bool
    maps: bool
    certificates: bool
    attackers: Mapping[str, ClassifierMixin] | None
    material: Material
    versions: tuple[FloatArray, ...]
    budget: float | None
    random_state: int
    workers: Workers
    progress: Progress | None

    def within(self, share: float) -> Means:
        """Leave a share of the budget, if there is one, to a part of the work."""
        return self if self.budget is None else replace(self, budget=share * self.budget)

    def after(self, minutes: float) -> Means:
        """Take from the budget, if there is one, what something else takes."""
        return self if self.budget is None else replace(self, budget=self.budget - minutes)

    def learning_from(self, inputs: AuditInputs, others: Split | None) -> Means:
        """Let attackers of some rows learn from the training rows of the others, as outsiders.

        Rows that the map has seen and rows that it has not are not mixed, but people of the one
        kind may well know people of the other.
        """
        if others is None or self.material.phi is None or self.material.outsiders is not None:
            return self
        labels = {name: own.take(others.train) for name, own in inputs.attributes.items()}
        known = LabelledRows(inputs.before[others.train], labels)
        return replace(self, material=replace(self.material, outsiders=known))


@dataclass(frozen=True)
class Given:
    """What is known beside the attack, whichever rows are attacked.

    Attributes
    ----------
    provenance : Provenance
        What was audited.
    verification : tuple of Experiment
        Measured apart; empty if it is to be measured here.
    fairness : mapping of str to EqualityOfOpportunity
        Measured apart.
    correspondence : Correspondence or None
        How it is known that the rows of the two tables belong together.
    notes : tuple of str
        What a reader must know.
    """

    provenance: Provenance
    verification: tuple[Experiment, ...]
    fairness: Mapping[str, EqualityOfOpportunity]
    correspondence: Correspondence | None
    notes: tuple[str, ...]


def audit_rows(
    inputs: AuditInputs, split: Split, population: Population | None, means: Means, given: Given
) -> Audit:
    """Attack the rows of a split, and put the evidence beside what was found.

    Parameters
    ----------
    inputs : AuditInputs
        The tables and labels.
    split : Split
        Who trains and who is attacked.
    population : Population or None
        What the map has seen of these rows; None where there is no map.
    means : Means
        What the attackers have.
    given : Given
        What is known already.

    Returns
    -------
    Audit
        See there.
    """
    wanted = means.certificates and bool(inputs.attributes)
    certifies = wanted and _has_time(means, inputs)
    attacking = means.after(_for_certificates(means, inputs)) if certifies else means
    # All protected versions together are one table more.
    tables = (inputs.before, inputs.after, means.material.phi, means.versions or None)
    share = 1 / sum(one is not None for one in tables) if means.versions else 0.0
    attacked = _attack(inputs, split, attacking.within(1 - share))
    notes, kept, picture = given.notes, given.verification, None
    if not kept:
        kept, why_not = measure_verification(inputs, split, means.random_state)
        notes += why_not
    certificates, read = None, {}
    if certifies:
        certificates = _certificates(inputs, split, means)
        read = _outsiders_read(inputs, split, means)
    elif wanted:
        attacked = replace(attacked, left_out=(*attacked.left_out, "certificates"))
    if means.maps:
        picture, why_not = draw_maps(inputs, split, means.random_state)
        notes += why_not
    return Audit.of(
        replace(attacked, notes=attacked.notes + notes),
        verification=kept,
        fairness=given.fairness,
        maps=picture,
        provenance=given.provenance,
        rows=population,
        correspondence=given.correspondence,
        collusion=_collude(inputs, split, attacking.within(share)),
        outsiders_read=read,
        certificates=certificates,
    )


def _has_time(means: Means, inputs: AuditInputs) -> bool:
    """Whether the budget, if there is one, is long against the certificates."""
    return means.budget is None or means.budget > 4 * _for_certificates(means, inputs)


def _for_certificates(means: Means, inputs: AuditInputs) -> float:
    """Minutes that certificates take."""
    return _CERTIFICATE_MINUTES * len(inputs.attributes) / means.workers.n_jobs


def _certificates(inputs: AuditInputs, split: Split, means: Means) -> Certificates:
    return certify(
        inputs.before if inputs.after is None else inputs.after,
        inputs.attributes,
        split,
        random_state=means.random_state,
        workers=means.workers,
    )


def _outsiders_read(inputs: AuditInputs, split: Split, means: Means) -> dict[str, Headline]:
    if inputs.after is None:
        return {}
    return outsiders_read(
        inputs.before,
        inputs.after,
        inputs.attributes,
        split,
        means.material,
        random_state=means.random_state,
        workers=means.workers,
    )


def _attack(inputs: AuditInputs, split: Split, means: Means) -> AuditResult:
    tables = (inputs.before, inputs.after)
    if means.quick:
        attributes = crossed(inputs.attributes) if means.joint else inputs.attributes
        return attacks.quick_audit(
            *tables,
            attributes,
            split=split,
            random_state=means.random_state,
            n_jobs=means.workers.n_jobs,
            engine=means.workers.engine,
            kernels=means.workers.kernels,
            progress=means.progress,
        )
    advantages: tuple[Advantage, ...] = ()
    if inputs.after is not None and inputs.attributes:
        advantages = gather(
            inputs.before,
            inputs.after,
            inputs.attributes,
            split,
            means.material,
            random_state=means.random_state,
        )
    return attacks.audit(
        *tables,
        inputs.attributes,
        split=split,
        continuous=inputs.continuous,
        attackers=means.attackers,
        phi=means.material.phi,
        advantages=advantages,
        subgroups=inputs.subgroups,
        curves=means.curves,
        budget=means.budget,
        random_state=means.random_state,
        n_jobs=means.workers.n_jobs,
        engine=means.workers.engine,
        kernels=means.workers.kernels,
        progress=means.progress,
    )


def _collude(inputs: AuditInputs, split: Split, means: Means) -> tuple[Collusion, ...]:
    """Attack all protected versions joined; nothing if there is only one."""
    if inputs.after is None or not means.versions or not inputs.attributes:
        return ()
    together = np.hstack([inputs.after, *means.versions])
    joined = replace(inputs, before=together, after=None, continuous={}, subgroups={})
    means = replace(means, joint=False, curves=False, attackers=None, material=Material())
    found = _attack(joined, split, means)
    n_versions = 1 + len(means.versions)
    return tuple(Collusion(one.name, n_versions, one.strongest) for one in found.attributes)
