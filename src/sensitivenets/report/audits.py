"""`sensitivenets.audit`: the attack and the evidence beside it, from what a person has in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from sensitivenets.audit.attack import Workers
from sensitivenets.audit.attackers.smooth_functions import Kernels
from sensitivenets.audit.inversion import Phi
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.engines import Engine
from sensitivenets.errors import InputError
from sensitivenets.fairness import EqualityOfOpportunity
from sensitivenets.maps.base import Model
from sensitivenets.maps.made_by import Maker
from sensitivenets.maps.model_folder import load_model
from sensitivenets.progress import Progress
from sensitivenets.report.collusion import read_versions
from sensitivenets.report.evidence import given_files, read_fairness, read_verification
from sensitivenets.report.inputs import AuditInputs, part_rows, read_inputs, read_material
from sensitivenets.report.iso import CODES
from sensitivenets.report.provenance import (
    GivenFiles,
    ModelOrigin,
    Provenance,
    TableOrigin,
    today,
)
from sensitivenets.report.recognition import Verified
from sensitivenets.report.result import Audit
from sensitivenets.report.rows import (
    correspondence_of,
    makers,
    other_parts,
    part_populations,
)
from sensitivenets.report.run import Given, Means, audit_rows

# A row of fewer signs is hardly a template.
_FEWEST_BITS = 8


def audit(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None = None,
    attributes: Any = None,
    *,
    continuous: Any = None,
    identity: Any = None,
    domain: Any = None,
    split: Split | None = None,
    apart: float | None = None,
    quick: bool = False,
    joint: bool = False,
    attackers: Mapping[str, ClassifierMixin] | None = None,
    model: Model | Phi | str | Path | None = None,
    also: Sequence[EmbeddingTable | FloatArray] = (),
    subgroups: Any = None,
    unlabelled: EmbeddingTable | FloatArray | None = None,
    outsiders: EmbeddingTable | None = None,
    curves: bool = True,
    maps: bool = True,
    certificates: bool = True,
    budget: float | None = None,
    verification: Mapping[str, Verified | str | Path] | None = None,
    fairness: Sequence[EqualityOfOpportunity | str | Path] = (),
    random_state: int = 0,
    n_jobs: int = 2,
    engine: Engine | None = None,
    kernels: Kernels | None = None,
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
    domain : str or array-like of shape (n,), optional
        Source of each row, such as a camera, a column of `before` or one value a row: verification
        within sources and across them is then measured apart as well.
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
        What made `after` from `before`: adds the attack that undoes it; not with `quick`.
    also : sequence of EmbeddingTable or ndarray of shape (n, m), optional
        More protected versions of the same rows, by another map or key: adds the attack on all of
        them together.
    subgroups : str, sequence of str, or mapping of str to array-like of shape (n,), optional
        Columns, such as an age group, by whose values to find the subgroup that is read best; not
        with `quick`.
    unlabelled : EmbeddingTable or ndarray of shape (m, d), optional
        Faces of anybody, before the map: with `model`, attackers push them through it and learn
        from where they go. Without them, rows of `before` that are not attacked.
    outsiders : EmbeddingTable, optional
        People who are in no row of the table, before the map, with columns named as the
        attributes: with `model`, attackers learn from them.
    curves : bool, default=True
        Whether to draw learning and feature-removal curves, which takes longer; not with `quick`.
    maps : bool, default=True
        Whether to compute the t-SNE map; not with `quick`.
    certificates : bool, default=True
        Whether to work out what can be said beyond the attackers that were run: bounds, forecasts,
        and what these rows could have missed; not with `quick`.
    budget : float, optional
        Minutes to stay within, roughly; ``left_out`` then says what was not run; not with `quick`.
    verification : mapping of str to VerificationResult, AllPairsResult or path, optional
        What was measured apart, under "before" and "after", instead of measuring it here; a path
        is a file that ``sensitivenets verify --json`` wrote.
    fairness : sequence of EqualityOfOpportunity or path, optional
        What was measured apart, one for each target.
    random_state : int, default=0
        The seed; the same seed and data give the same result, whatever `n_jobs`.
    n_jobs : int, default=2
        Processes; each uses one thread.
    engine : Engine, optional
        Runs the attackers instead, in processes here or elsewhere (`engine_named`); it changes
        nothing of the result.
    kernels : Kernels, optional
        Makes the matrices of kernel machines, in place of numpy: those of a device
        (`sensitivenets.audit.attackers.on_device.kernels_on`) differ by rounding.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    Audit
        Print it for one screen; ``to_frame()``, ``write_report(folder)`` and its fields say more.

    Raises
    ------
    InputError
        If tables, labels, identities and split do not fit; rows of the two tables do not
        correspond, so that no figure would measure anything; nothing is to be attacked; a file is
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
            "subgroups": subgroups,
            "budget": budget,
            "unlabelled": unlabelled is not None,
            "outsiders": outsiders is not None,
        },
    )
    kept, opportunity = read_verification(verification or {}), read_fairness(fairness)
    inputs = read_inputs(before, after, attributes, continuous, identity, subgroups, domain)
    split, notes = part_rows(inputs, split, apart, random_state)
    made_by = load_model(Path(model)) if isinstance(model, (str, Path)) else model
    phi = made_by.map if isinstance(made_by, Model) else made_by
    corresponds = correspondence_of(inputs, phi, random_state)
    if corresponds is not None and not corresponds.holds:
        raise InputError(corresponds.reason)
    means = Means(
        quick=quick,
        joint=joint,
        curves=curves,
        maps=maps and not quick,
        certificates=certificates and not quick,
        attackers=attackers,
        material=read_material(phi, unlabelled, outsiders, inputs.attributes),
        versions=read_versions(inputs, before, also, random_state),
        budget=budget,
        random_state=random_state,
        workers=Workers(n_jobs, None if engine is None else engine.map, kernels),
        progress=progress,
    )
    given = Given(
        provenance=_provenance(inputs, made_by, model, given_files(verification or {}, fairness)),
        verification=kept,
        fairness=opportunity,
        correspondence=corresponds,
        notes=(*inputs.notes, *notes),
    )
    known = makers(after, Maker.of(made_by) if isinstance(made_by, Model) else None)
    parts = part_populations(before, split, known, inputs)
    n_train = sum(len(part.train) for _, part in parts)
    found = [
        audit_rows(
            inputs,
            part,
            rows,
            means.within(len(part.train) / n_train).learning_from(inputs, others),
            given,
        )
        for (rows, part), others in zip(parts, other_parts(parts), strict=True)
    ]
    return replace(found[0], held=found[1]) if len(found) > 1 else found[0]


def quick_audit(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None = None,
    attributes: Any = None,
    *,
    identity: Any = None,
    split: Split | None = None,
    apart: float | None = None,
    joint: bool = False,
    also: Sequence[EmbeddingTable | FloatArray] = (),
    verification: Mapping[str, Verified | str | Path] | None = None,
    fairness: Sequence[EqualityOfOpportunity | str | Path] = (),
    random_state: int = 0,
    n_jobs: int = 2,
    engine: Engine | None = None,
    kernels: Kernels | None = None,
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
        also=also,
        verification=verification,
        fairness=fairness,
        random_state=random_state,
        n_jobs=n_jobs,
        engine=engine,
        kernels=kernels,
        progress=progress,
    )


def _check_quick(*, quick: bool, whole: Mapping[str, object]) -> None:
    asked = [name for name, value in whole.items() if value]
    if quick and asked:
        raise InputError(f"quick: {asked[0]} needs the whole audit; leave quick out")


def _provenance(
    inputs: AuditInputs, made_by: Model | Phi | None, model: object, given: GivenFiles
) -> Provenance:
    origins = {side: TableOrigin.of(x, inputs.files[side]) for side, x in inputs.sides.items()}
    folder = str(model) if isinstance(model, (str, Path)) else None
    return Provenance(
        before=origins["before"],
        after=origins.get("after"),
        model=(
            ModelOrigin.of(made_by, folder, origins["before"])
            if isinstance(made_by, Model)
            else None
        ),
        given=given,
        date=today(),
        remarks=_codes(inputs.after),
    )


def _codes(after: FloatArray | None) -> dict[str, str]:
    """Remark that a table is of codes: every value of one size, and both signs."""
    if after is None or after.shape[1] < _FEWEST_BITS:
        return {}
    size = np.abs(after).max()
    is_code = np.allclose(np.abs(after), size) and (after > 0).any() and (after < 0).any()
    return {CODES: f"{after.shape[1]} bits a row"} if is_code else {}
