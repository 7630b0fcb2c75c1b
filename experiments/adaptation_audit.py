"""What the whole audit reads from a table protected with its own moments (docs/adapt_log.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/adaptation_audit.py FairFace LFW

The reference is FairFace `fit`, gender x ethnicity. Every attacker, either sign, the map public,
the labelled rows of the reference pushed through it as outsiders; FairFace, which names nobody,
with look-alikes and without (`apart` 0.6). One line a table and seed.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from sensitivenets import EmbeddingTable, read_table
from sensitivenets.audit import split_by_column, split_by_identity
from sensitivenets.embeddings import canonical_values
from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.place import transform_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.report.audits import audit

ATTRIBUTES = ("gender", "ethnicity")


def reference(faces: EmbeddingTable, seed: int) -> RoutedTransport:
    """Fit on the labelled rows of other people."""
    known = faces.where("split", "fit")
    labels = {name: known.column(name) for name in ATTRIBUTES}
    return RoutedTransport(n_rounds=1, random_state=seed).fit(known.vectors, sensitive=labels)


def measure(name: str, data: Path, seed: int, apart: float | None) -> str:
    """Adapt to a table, map it, and let every attacker try."""
    faces = read_table(data / "fairface.parquet")
    fitted = reference(faces, seed)
    if name == "FairFace":
        split = faces.labels("split")
        rows = np.isin(split.codes, [split.classes.index(f"attack_{p}") for p in ("train", "test")])
        table = faces.take(np.flatnonzero(rows))
        parts = split_by_column(table.labels("split"), "attack_train", "attack_test", None)
        codes = None
    else:
        table = read_table(data / f"{name.lower()}.parquet")
        subjects = table.identities("subject")
        parts, codes = split_by_identity(subjects, seed=seed), subjects.codes
    adapted = adapt(fitted, table.vectors, subjects=codes)
    after = canonical_values(transform_table(adapted.map, table.vectors, codes))
    begun = time.perf_counter()
    found = audit(
        table.vectors,
        after,
        {one: table.labels(one) for one in ATTRIBUTES if one in table.columns.column_names},
        split=parts,
        apart=apart,
        model=adapted.map,
        outsiders=faces.where("split", "fit"),
        curves=False,
        maps=False,
        random_state=seed,
    )
    read = [
        f"{one.name} {100 * one.reduction.before:.1f} -> {100 * one.reduction.after:.1f} "
        f"({one.strongest.attacker}, {one.strongest.preparation})"
        for one in found.attributes
        if one.reduction is not None
    ]
    near = "" if apart is None else f" apart {apart:g}"
    return f"{name}{near} seed {seed}: {'; '.join(read)}; {time.perf_counter() - begun:.0f} s"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="+", choices=["FairFace", "LFW", "CelebA"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    options = parser.parse_args()
    for table_name in options.tables:
        for seed_ in options.seeds:
            for near_ in (None, 0.6) if table_name == "FairFace" else (None,):
                folder = Path(os.environ["SENSITIVENETS_DATA"])
                print(measure(table_name, folder, seed_, near_), flush=True)
