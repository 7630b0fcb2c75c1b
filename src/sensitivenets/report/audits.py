"""`sensitivenets.audit`: the attack and the evidence beside it, from what a person has in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.base import ClassifierMixin

from sensitivenets.audit import audits as attacks
from sensitivenets.audit.advantages.gather import Material, gather
from sensitivenets.audit.attack import Advantage
from sensitivenets.audit.inversion import Phi
from sensitivenets.audit.results import AuditResult
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.errors import InputError
from sensitivenets.fairness import EqualityOfOpportunity
from sensitivenets.maps.base import Model
from sensitivenets.maps.model_folder import load_model
from sensitivenets.progress import Progress
from sensitivenets.report.evidence import (
    draw_maps,
    given_files,
    measure_verification,
    read_fairness,
    read_verification,
)
from sensitivenets.report.inputs import (
    AuditInputs,
    crossed,
    part_rows,
    read_inputs,
    read_material,
)
from sensitivenets.report.provenance import ModelOrigin, Provenance, TableOrigin
from sensitivenets.report.recognition import Verified
from sensitivenets.report.result import Audit


def audit(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None = None,
    attributes: Any = None,
    *,
    continuous: Any = None,
    identity: Any = None,
    split: Split | None = None,
    apart: float | None = None,
    quick: bool = False,
    joint: bool = False,
    attackers: Mapping[str, ClassifierMixin] | None = None,
    model: Model | Phi | str | Path | None = None,
    unlabelled: EmbeddingTable | FloatArray | None = None,
    outsiders: EmbeddingTable | None = None,
    curves: bool = True,
    maps: bool = True,
    verification: Mapping[str, Verified | str | Path] | None = None,
    fairness: Sequence[EqualityOfOpportunity | str | Path] = (),
    random_state: int = 0,
    n_jobs: int = 2,
    progress: Progress | None = None,
) -> Audit:
    """Ask what an honest adversary still reads from embeddings, what was kept, and is it so.

    The attackers, their controls and the inversion attack are those of
    `sensitivenets.audit.audits.audit`. Beside them: verification over all pairs of the test rows
    where identities are known, a t-SNE map of the test rows, and what was audited.

    Parameters
    ----------
    before : EmbeddingTable or ndarray of shape (n, d)
        The embeddings as they were, or the only ones.
    after : EmbeddingTable or ndarray of shape (n, k), optional
        The same rows after a map, whoever made it.
    attributes : str, sequence of str, mapping, data frame or array-like of shape (n,)
        What to attack: columns of `before`, or labels by name (`Labels` or array-like), or the
        labels of one attribute. Rows with None or NaN are left out.
    continuous : str, sequence of str, or mapping of str to array-like of shape (n,), optional
        Attributes that are numbers, NaN where unknown; not with `quick`.
    identity : str or array-like of shape (n,), optional
        Who each row shows: a column of `before`, or one value a row. Nobody is then on both sides
        of the attack, and verification is measured. Taken from `split` if that knows it.
    split : Split, optional
        Who trains the attackers and who is attacked; 70 % and 30 % of the identities at random
        unless given, or of the rows where identities are unknown, which the notes then say.
    apart : float, optional
        Cosine in (-1, 1]: training rows this near to a test row, probably the same person, are
        left out. For tables without identities.
    quick : bool, default=False
        Use only the three attackers of the paper: fast, and easier to withstand.
    joint : bool, default=False
        With `quick`, also attack the attributes combined; the whole audit always does.
    attackers : mapping of str to scikit-learn classifier, optional
        More attackers; not with `quick`.
    model : Model, path of a model folder, or callable, optional
        What made `after` from `before`: adds the attacks of whoever has it; not with `quick`.
    unlabelled : EmbeddingTable or ndarray of shape (m, d), optional
        Faces of anybody, before the map: with `model`, an attacker pushes them through it and
        learns from where they go. Without them, rows of `before` that are not tested on.
    outsiders : EmbeddingTable, optional
        People who are in no row of the table, before the map, with columns named as the
        attributes: with `model`, they teach attackers of this table, and it teaches attackers of
        them.
    curves : bool, default=True
        Whether to draw learning and feature-removal curves, which takes longer; not with `quick`.
    maps : bool, default=True
        Whether to compute the t-SNE map; not with `quick`.
    verification : mapping of str to VerificationResult, AllPairsResult or path, optional
        What was measured apart, under "before" and "after", instead of measuring it here; a path
        is a file that ``sensitivenets verify --json`` wrote.
    fairness : sequence of EqualityOfOpportunity or path, optional
        What was measured apart, one for each target.
    random_state : int, default=0
        The seed; the same seed and data give the same result, whatever `n_jobs`.
    n_jobs : int, default=2
        Processes; each uses one thread.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    Audit
        Print it for one screen; ``to_frame()``, ``write_report(folder)`` and its fields say more.

    Raises
    ------
    InputError
        If tables, labels, identities and split do not fit; nothing is to be attacked; a file is
        no such result; or `quick` is given with what only the whole audit does.

    Warns
    -----
    DataWarning
        If verification or the map cannot be had from these rows; the audit goes on without.

    Examples
    --------
    >>> from sensitivenets import audit, synthetic_diveface
    >>> table = synthetic_diveface(200)
    >>> found = audit(table, attributes="gender", identity="subject", quick=True, n_jobs=1)
    >>> found.attributes[0].strongest.above_chance
    True
    """
    _check_quick(
        quick=quick,
        whole={
            "continuous": continuous,
            "attackers": attackers,
            "model": model,
            "unlabelled": unlabelled is not None,
            "outsiders": outsiders is not None,
        },
    )
    inputs = read_inputs(before, after, attributes, continuous, identity)
    parted, notes = part_rows(inputs, split, apart, random_state)
    kept, opportunity = read_verification(verification or {}), read_fairness(fairness)
    made_by = load_model(Path(model)) if isinstance(model, (str, Path)) else model
    attack = _Attack(parted, random_state, n_jobs, progress)
    if quick:
        attacked = attack.quick(inputs, joint=joint)
    else:
        phi = made_by.map if isinstance(made_by, Model) else made_by
        material = read_material(phi, unlabelled, outsiders, inputs.attributes)
        attacked = attack.full(inputs, attackers, material, curves=curves)
    if not kept:
        kept, why_not = measure_verification(inputs, parted, random_state)
        notes += why_not
    picture = None
    if maps and not quick:
        picture, why_not = draw_maps(inputs, parted, random_state)
        notes += why_not
    origins = {side: TableOrigin.of(x, inputs.files[side]) for side, x in inputs.sides.items()}
    folder = str(model) if isinstance(model, (str, Path)) else None
    return Audit.of(
        replace(attacked, notes=attacked.notes + notes),
        verification=kept,
        fairness=opportunity,
        maps=picture,
        provenance=Provenance(
            before=origins["before"],
            after=origins.get("after"),
            model=(
                ModelOrigin.of(made_by, folder, origins["before"])
                if isinstance(made_by, Model)
                else None
            ),
            given=given_files(verification or {}, fairness),
        ),
    )


def quick_audit(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None = None,
    attributes: Any = None,
    *,
    identity: Any = None,
    split: Split | None = None,
    apart: float | None = None,
    joint: bool = False,
    verification: Mapping[str, Verified | str | Path] | None = None,
    fairness: Sequence[EqualityOfOpportunity | str | Path] = (),
    random_state: int = 0,
    n_jobs: int = 2,
    progress: Progress | None = None,
) -> Audit:
    """Ask whether the attackers of Table I still read the attributes: NN, SVM and RF.

    The same as `audit` with ``quick=True``, whose docstring explains the parameters.

    Returns
    -------
    Audit
        With ``mode`` "quick".

    Raises
    ------
    InputError
        As `audit` does.
    """
    return audit(
        before,
        after,
        attributes,
        identity=identity,
        split=split,
        apart=apart,
        quick=True,
        joint=joint,
        verification=verification,
        fairness=fairness,
        random_state=random_state,
        n_jobs=n_jobs,
        progress=progress,
    )


def _check_quick(*, quick: bool, whole: Mapping[str, object]) -> None:
    asked = [name for name, value in whole.items() if value]
    if quick and asked:
        raise InputError(f"quick: {asked[0]} needs the whole audit; leave quick out")


@dataclass(frozen=True)
class _Attack:
    """What both audits are run with."""

    split: Split
    random_state: int
    n_jobs: int
    progress: Progress | None

    def quick(self, inputs: AuditInputs, *, joint: bool) -> AuditResult:
        return attacks.quick_audit(
            inputs.before,
            inputs.after,
            crossed(inputs.attributes) if joint else inputs.attributes,
            split=self.split,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            progress=self.progress,
        )

    def full(
        self,
        inputs: AuditInputs,
        attackers: Mapping[str, ClassifierMixin] | None,
        material: Material,
        *,
        curves: bool,
    ) -> AuditResult:
        advantages: tuple[Advantage, ...] = ()
        if inputs.after is not None:
            advantages = gather(
                inputs.before,
                inputs.after,
                inputs.attributes,
                self.split,
                material,
                random_state=self.random_state,
            )
        return attacks.audit(
            inputs.before,
            inputs.after,
            inputs.attributes,
            split=self.split,
            continuous=inputs.continuous,
            attackers=attackers,
            phi=material.phi,
            advantages=advantages,
            curves=curves,
            random_state=self.random_state,
            n_jobs=self.n_jobs,
            progress=self.progress,
        )
