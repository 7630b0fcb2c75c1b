"""LFW and CelebA in one table: one adaptation for both, or one for each source (docs/adapting.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/adaptation_sources.py

The reference is FairFace `fit`, gender, one round. No map is told where a row is from but the last,
which is one map a source. Gender is read inside each source as in adaptation.py, from people whom
the attacker does not know; TAR is of all genuine pairs of the table at an FMR of 1e-3.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from adaptation import own_tar, split_of, strongest, tables

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.by_source import adapt_by_source
from sensitivenets.erasers.transport.passes import HeldRows

_SEEDS = (0, 1, 2)


def main() -> None:
    """Run, one line a map."""
    model, found = tables(Path(os.environ["SENSITIVENETS_DATA"]), ["gender"])
    parts = [found[name] for name in ("LFW", "CelebA")]
    source = np.repeat(np.arange(2), [len(part.X) for part in parts])
    X = np.concatenate([part.X for part in parts])
    gender = np.concatenate([part.labels["gender"] for part in parts])
    first, second = (part.subjects for part in parts)
    assert first is not None
    assert second is not None
    subjects = np.concatenate([first, second + first.max() + 1])
    by_source = adapt_by_source(
        model, HeldRows(lambda: iter([X]), len(X)), Labels("source", source, ("LFW", "CelebA"))
    )
    maps: dict[str, FloatArray] = {
        "raw": X,
        "model as fitted": model.map(X),
        "adapted to the table": adapt(model, X).map(X),
        "adapted by source": by_source.map(X),
        "a map each, source known": np.concatenate([
            adapt(model, part.X).map(part.X) for part in parts
        ]),
    }
    for name, Z in maps.items():
        read = []
        for number, part in enumerate(parts):
            assert part.subjects is not None
            own, known = Z[source == number], gender[source == number]
            rows = [split_of(part.subjects, seed) for seed in _SEEDS]
            read.append(", ".join(f"{strongest(own, r, known, kernel=False):.1f}" for r in rows))
        print(f"| {name} | {read[0]} | {read[1]} | {own_tar(Z, subjects):.1f} |", flush=True)


if __name__ == "__main__":
    main()
