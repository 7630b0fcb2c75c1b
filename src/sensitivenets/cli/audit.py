"""``sensitivenets audit``: what an adversary still reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.audit_options import AuditOptions
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit import AuditResult, Split
    from sensitivenets.cli.audit_inputs import Tables


def audit(before: Path, after: Path | None = None, /, *, options: AuditOptions) -> None:
    """Attack embeddings and report what still leaks: before and after a map, or in one table.

    Parameters
    ----------
    before
        The embeddings as they were, or the only ones: .parquet, .npz, or .npy beside .csv.
    after
        The same rows after a map, whoever made it.
    options
        What to attack, who attacks, and where the report goes.
    """
    from sensitivenets.cli.audit_inputs import (
        measure_verification,
        read_tables,
        set_apart,
        split_of,
    )
    from sensitivenets.cli.audit_output import draw_maps, provenance, show, write
    from sensitivenets.report.evidence import read_fairness, read_verification

    if options.model is not None and after is None:
        raise InputError("--model: expected the table after the map too; give both tables")
    labels = [*options.attribute, *options.continuous]
    tables = read_tables(before, after, options.identity, labels, options.embedding)
    given = split_of(tables, options.train, options.test, options.random_state)
    split, notes = set_apart(given, tables.before.vectors, options.apart)
    kept = read_verification(options.verification_before, options.verification_after)
    opportunity = read_fairness(options.fairness)
    attacked = _attack(tables, split, options)
    result = dataclasses.replace(
        attacked,
        notes=attacked.notes + notes,
        verification=kept or measure_verification(tables, split, options.random_state),
        fairness=opportunity,
        maps={} if options.quick else draw_maps(tables, split, options),
        provenance=provenance(tables, options),
    )
    show(result, write(result, options.out, save_pictures=options.save_pictures), json=options.json)


def _attack(tables: Tables, split: Split, options: AuditOptions) -> AuditResult:
    from sensitivenets.audit import audit as full_audit
    from sensitivenets.audit import progress_bar, quick_audit
    from sensitivenets.cli.audit_inputs import attributes_of, numbers_of
    from sensitivenets.maps.model_folder import load_model

    crossed = options.quick and options.joint
    attributes = attributes_of(tables.before, options.attribute, crossed=crossed)
    numbers = numbers_of(tables.before, options.continuous)
    phi = None if options.model is None else load_model(options.model).map
    with progress_bar("audit") as progress:
        if options.quick:
            return quick_audit(
                tables.before,
                tables.after,
                attributes,
                split=split,
                random_state=options.random_state,
                n_jobs=options.n_jobs,
                progress=progress,
            )
        return full_audit(
            tables.before,
            tables.after,
            attributes,
            split=split,
            continuous=numbers,
            phi=phi,
            curves=options.curves,
            random_state=options.random_state,
            n_jobs=options.n_jobs,
            progress=progress,
        )
