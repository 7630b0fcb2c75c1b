"""``sensitivenets audit``: what an adversary still reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.attributes import require_groups
from sensitivenets.cli.audit_options import AuditOptions
from sensitivenets.cli.engine_options import AttackDeviceOptions
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable

_HERE = AttackDeviceOptions()
_NOT_VALID = 3


def audit(
    before: str,
    after: str | None = None,
    /,
    *,
    options: AuditOptions,
    work: AttackDeviceOptions = _HERE,
) -> int:
    """Attack embeddings and report what still leaks: before and after a map, or in one table.

    The exit code is 3 if the measurement is not valid, so that no script takes it for a figure.

    Parameters
    ----------
    before
        The embeddings as they were, or the only ones: a file, a folder, a glob or a URL of
        .parquet, .feather, .csv, .jsonl, .npz, .npy or .safetensors. Of more than 200 000 rows
        some are drawn: whole subjects where --identity is given, attributes in proportion.
    after
        The same rows after a map, whoever made it.
    options
        What to attack, who attacks, and where the report goes.
    work
        Who runs the attackers.
    """
    from sensitivenets import report
    from sensitivenets.cli.audit_inputs import Tables, read_sides, split_of
    from sensitivenets.cli.audit_output import show, write
    from sensitivenets.cli.selection import read_rows
    from sensitivenets.progress import progress_bar

    if options.model is not None and after is None:
        raise InputError("--model: expected the table after the map too; give both tables")
    kernels = work.kernels()
    first, second, drawn = read_sides(before, after, options)
    subject = None if options.identity is None else first.identities(options.identity)
    require_groups(first, options.attribute, "--attribute")
    split = None
    if options.train is not None or options.test is not None:
        tables = Tables(first, second, subject)
        split = split_of(tables, options.train, options.test, options.random_state)
    measured = {"before": options.verification_before, "after": options.verification_after}
    with progress_bar("audit") as progress:
        result = report.audit(
            first,
            second,
            options.attribute,
            continuous=options.continuous,
            identity=options.identity,
            domain=options.domain,
            split=split,
            apart=options.apart,
            quick=options.quick,
            joint=options.joint,
            model=options.model,
            unlabelled=_optional(options.unlabelled, options.embedding),
            outsiders=_optional(options.outsiders, options.embedding),
            also=[read_rows(path, [], options.embedding) for path in options.also],
            subgroups=options.subgroup,
            curves=options.curves,
            certificates=options.certificates,
            budget=options.budget,
            verification={side: path for side, path in measured.items() if path is not None},
            fairness=options.fairness,
            random_state=options.random_state,
            n_jobs=work.processes,
            engine=work.make(),
            kernels=kernels,
            progress=progress,
        )
    if drawn is not None:
        held = None if result.held is None else replace(result.held, drawn=drawn)
        result = replace(result, held=held, drawn=drawn)
    show(result, write(result, options.out, save_pictures=options.save_pictures), json=options.json)
    parts = [result] if result.held is None else [result, result.held]
    return 0 if all(part.trustworthy for part in parts) else _NOT_VALID


def _optional(path: str | Path | None, embedding: str) -> EmbeddingTable | None:
    from sensitivenets.cli.selection import read_rows

    return None if path is None else read_rows(path, [], embedding)
