"""Adapting to rows of other networks: voices, texts, a second network of faces (docs/adapt_log.md).

    SENSITIVENETS_DATA=data OMP_NUM_THREADS=1 python experiments/adaptation_networks.py
    ... --faces dlib.parquet                 # CelebA by two networks; dlib_embeddings.py wrote it

A model of a labelled part is adapted to the other part without its labels. Gender is read from the
latter as in adaptation.py, subjects apart: raw, mapped by the model as it was fitted, and adapted.
TAR is that of the part's own pairs at an FMR of 1e-3.
"""

from __future__ import annotations

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
from adaptation import codes, own_tar, split_of, strongest

from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.erasers.transport.adapt import adapt
from sensitivenets.erasers.transport.place import transform_table
from sensitivenets.erasers.transport.routed_transport import RoutedTransport

# File, whom a row is of, and the labelled part.
_TABLES = {
    "voices": ("librispeech_resemblyzer", "speaker", "fit"),
    "texts": ("gap_wordllama", "passage", "development"),
}
_SEEDS = (0, 1, 2)


def compare(title: str, reference: EmbeddingTable, mine: EmbeddingTable, identity: str) -> None:
    """Fit on labelled rows, adapt to the others, and print what is read of these."""
    model = RoutedTransport(random_state=0).fit(
        reference.vectors, sensitive={"gender": reference.column("gender")}
    )
    named_by = [str(subject) for subject in mine.column(identity).to_pylist()]
    subjects = np.unique(named_by, return_inverse=True)[1]
    found = adapt(model, mine.vectors, subjects=subjects)
    maps: dict[str, FloatArray] = {
        "raw": mine.vectors,
        "as fitted": model.transform(mine.vectors),
        "adapted": transform_table(found.map, mine.vectors, subjects),
    }
    known_by = codes(mine, "gender", model.model_.removed["gender"])
    for which, Z in maps.items():
        read = [strongest(Z, split_of(subjects, seed), known_by, kernel=False) for seed in _SEEDS]
        said = ", ".join(f"{one:.1f}" for one in read)
        print(f"{title}, {which}: gender {said}; own TAR {own_tar(Z, subjects):.1f}", flush=True)
    print(f"  {len(mine)} rows, {found.rows} a group, gained {found.gained:.2f}", found.doubts)


def main() -> None:
    """Run, one line a table and map."""
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=Path, help="CelebA by dlib; faces instead of the others")
    faces = parser.parse_args().faces
    folder = Path(os.environ["SENSITIVENETS_DATA"])
    if faces is None:
        for title, (name, identity, known) in _TABLES.items():
            table = read_table(folder / "domains" / f"{name}.parquet")
            fitted = np.array(table.column("split").to_pylist()) == known
            compare(title, table.take(fitted), table.take(~fitted), identity)
        return
    for title, path in (("MobileFaceNet", folder / "celeba.parquet"), ("dlib", faces)):
        table = read_table(path)
        subjects = table.labels("subject")
        halves = np.random.default_rng(0).integers(2, size=len(subjects.classes)).astype(bool)
        fitted = halves[subjects.codes]
        compare(title, table.take(fitted), table.take(~fitted), "subject")


if __name__ == "__main__":
    main()
