"""``sensitivenets demo``: `protect` at work, on synthetic rows."""

from __future__ import annotations

from pathlib import Path

from sensitivenets.cli.engine_options import AttackDeviceOptions
from sensitivenets.cli.output import print_line, print_notice
from sensitivenets.cli.protect import protect
from sensitivenets.cli.selection import refuse_table
from sensitivenets.errors import InputError

_REMOVED = ["gender", "ethnicity"]


def demo(
    *,
    out: Path,
    n_subjects: int = 3000,
    random_state: int = 0,
    n_jobs: int = 2,
    overwrite: bool = False,
) -> None:
    """Protect synthetic faces: two tables are made, and `protect` does what it would do to yours.

    No face and no person is in the data. It leaks gender and ethnicity as real embeddings do.
    The labels of the table to protect are kept from all but the attackers.

    Parameters
    ----------
    out
        Folder for the two tables and for what `protect` writes.
    n_subjects
        Identities in the synthetic set, with three rows each.
    random_state
        The seed.
    n_jobs
        Processes of the audit.
    overwrite
        Replace what a former demo left in the folder.
    """
    import numpy as np

    from sensitivenets.datasets import synthetic_diveface
    from sensitivenets.embeddings import write_table

    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder to make, found a file")
    reference, faces, protected = (
        out / "reference.parquet",
        out / "faces.parquet",
        out / "protected",
    )
    for path in (reference, faces):
        refuse_table(path, overwrite=overwrite)
    print_notice("0/3 making synthetic embeddings of faces: a labelled reference, and other people")
    table = synthetic_diveface(n_subjects, random_state=random_state)
    known = np.asarray(table.labels("split").codes == table.labels("split").classes.index("fit"))
    write_table(table.take(known), reference)
    write_table(table.take(~known), faces)
    removed = " ".join(f"--remove {name}" for name in _REMOVED)
    print_line(
        f"$ sensitivenets protect {faces} --reference {reference} {removed} --identity subject "
        f"--quick --out {protected}"
    )
    protect(
        str(faces),
        reference=str(reference),
        remove=_REMOVED,
        identity="subject",
        out=str(protected),
        quick=True,
        overwrite=overwrite,
        random_state=random_state,
        work=AttackDeviceOptions(n_jobs=n_jobs),
    )
