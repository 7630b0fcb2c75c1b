"""``sensitivenets demo``: the whole way, on synthetic faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.output import print_line, print_notice
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.embeddings import EmbeddingTable
    from sensitivenets.maps.base import Model
    from sensitivenets.report import Audit
    from sensitivenets.verification import VerificationResult

_ATTRIBUTES = ("gender", "ethnicity")
# Fewer than the estimator's default: the synthetic set is small, and a demo must not take long.
_N_TRIPLETS = 20_000


def demo(*, out: Path, n_subjects: int = 3000, random_state: int = 0, n_jobs: int = 2) -> None:
    """Show the whole way on a synthetic set: fit, transform, audit, verify, report.

    No face and no person is in the data. It leaks gender and ethnicity as real embeddings do.

    Parameters
    ----------
    out
        Folder for the tables, the model and the report.
    n_subjects
        Identities in the synthetic set, with three rows each.
    random_state
        The seed.
    n_jobs
        Processes of the audit.
    """
    from sensitivenets.cli.audit_output import print_audit, write
    from sensitivenets.datasets import synthetic_diveface
    from sensitivenets.embeddings import write_table
    from sensitivenets.maps.model_folder import CARD, check_destination, save_model

    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder to make, found a file")
    check_destination(out / "model", overwrite=True)
    print_notice("1/4 making synthetic embeddings of faces")
    table = synthetic_diveface(n_subjects, random_state=random_state)
    write_table(table, out / "table.parquet")
    print_notice("2/4 fitting on half of the subjects")
    model = _fit(table.where("split", "fit"), random_state)
    save_model(model, out / "model", overwrite=True)
    print_notice("3/4 transforming all rows")
    agnostic = table.with_vectors(model.map(table.vectors))
    write_table(agnostic, out / "agnostic.parquet")
    print_notice("4/4 attacking and verifying the other half")
    result = _audit(table, agnostic, random_state, n_jobs)
    path = write(result, out / "report")
    print_line("Synthetic embeddings, subjects that the model has not seen:")
    print_audit(result)
    print_line(f"model card: {out / 'model' / CARD}")
    print_line(f"open: {path}")


def _fit(table: EmbeddingTable, random_state: int) -> Model:
    from sensitivenets.cli.fit import require_torch
    from sensitivenets.sensitivenet.estimator import SensitiveNet

    require_torch()
    estimator = SensitiveNet(n_triplets=_N_TRIPLETS, verbose=True, random_state=random_state)
    sensitive = {name: table.column(name) for name in _ATTRIBUTES}
    return estimator.fit(table.vectors, table.column("subject"), sensitive=sensitive).model_


def _audit(before: EmbeddingTable, after: EmbeddingTable, random_state: int, n_jobs: int) -> Audit:
    from sensitivenets import report
    from sensitivenets.audit import split_by_column
    from sensitivenets.progress import progress_bar

    split = split_by_column(
        before.labels("split"), "attack_train", "attack_test", before.labels("subject")
    )
    with progress_bar("audit") as progress:
        result = report.quick_audit(
            before,
            after,
            _ATTRIBUTES,
            identity="subject",
            split=split,
            verification={
                "before": _verify(before, random_state),
                "after": _verify(after, random_state),
            },
            random_state=random_state,
            n_jobs=n_jobs,
            progress=progress,
        )
    made_up = {"data": "synthetic DiveFace: made up, no face and no person is behind it"}
    return replace(result, provenance=report.Provenance(remarks=made_up))


def _verify(table: EmbeddingTable, random_state: int) -> VerificationResult:
    """Verify pairs of subjects that the model has not seen, in the manner of LFW view 2."""
    import numpy as np

    from sensitivenets.verification import verify
    from sensitivenets.verification.drawn_pairs import draw_pairs

    unseen = table.take(np.asarray(table.labels("split").codes != _code(table, "fit")))
    pairs = draw_pairs(unseen.labels("subject"), random_state=random_state)
    return verify(unseen, pairs, random_state=random_state)


def _code(table: EmbeddingTable, value: str) -> int:
    return table.labels("split").classes.index(value)
