"""Voices and texts protected: raw, LEACE, transport, and what protect chooses (docs/voices.md).

    SENSITIVENETS_DATA=data python experiments/domains.py [--table voices] [--whole]

Groups are learned from the labelled part. The rest is the table: its attackers are trained on one
part of its people and tested on the other, EER is over all its pairs, and a half is matched if its
nearest row is the other half. `--whole` runs every attacker of the audit, with the map.
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from sensitivenets import protect
from sensitivenets.audit import Split
from sensitivenets.embeddings import EmbeddingTable, FloatArray, read_table
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.erasers.linear.leace import LEACE
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.maps.base import FittedMap
from sensitivenets.report.audits import audit
from sensitivenets.verification import verify_all_pairs

# File, whom a row is of, the labelled part, and the part that attackers are tested on.
_TABLES = {
    "voices": ("librispeech_resemblyzer", "speaker", "fit", "attack_test"),
    "texts": ("gap_wordllama", "passage", "development", "validation"),
}
Way = tuple[str, FloatArray | None, FittedMap | None]


def ways(reference: EmbeddingTable, mine: EmbeddingTable, identity: str) -> Iterator[Way]:
    """Yield each way: its name, the rows after it, and its map."""
    yield "raw", None, None
    sensitive = {"gender": reference.column("gender")}
    for name, eraser in (
        ("LEACE of the reference", LEACE(random_state=0)),
        ("transport of the reference, three rounds", RoutedTransport(random_state=0)),
    ):
        eraser.fit(reference.vectors, sensitive=sensitive)
        yield name, eraser.transform(mine.vectors), eraser.model_.map
    for name, budget in (("own moments, one round", None), ("protect", 0.02)):
        started = time.perf_counter()
        found = protect(
            mine,
            reference,
            remove="gender",
            identity=identity,
            utility_budget=budget,
            quick=True,
            n_jobs=1,
        )
        print(f"  {found.lines()[0]}; {time.perf_counter() - started:.0f} s with its quick audit")
        for point in found.trade_off.points if found.trade_off else ():
            print(f"    {point.name}: {point.leakage}, lost {point.loss:.4f}")
        yield name, found.table.vectors, found.model.map


def matched(X: FloatArray, subjects: np.ndarray) -> float:
    """Share of the rows whose nearest row is of the same subject."""
    X = X.copy()
    normalise_rows(X)
    scores = X @ X.T
    np.fill_diagonal(scores, -np.inf)
    return float(np.mean(subjects[scores.argmax(axis=1)] == subjects))


def main() -> None:
    """Print a line for each table and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", choices=sorted(_TABLES), action="append")
    parser.add_argument("--way", action="append", help="only these ways")
    parser.add_argument("--whole", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    folder = Path(os.environ["SENSITIVENETS_DATA"]) / "domains"
    for title in options.table or _TABLES:
        name, identity, labelled, tested = _TABLES[title]
        table = read_table(folder / f"{name}.parquet")
        part = np.array(table.column("split").to_pylist())
        reference, mine = table.take(part == labelled), table.take(part != labelled)
        subject, gender = mine.identities(identity), mine.labels("gender")
        is_tested = part[part != labelled] == tested
        split = Split(np.flatnonzero(~is_tested), np.flatnonzero(is_tested), subject)
        for way, after, phi in ways(reference, mine, identity):
            if options.way and way not in options.way:
                continue
            rows = mine.vectors if after is None else after
            eer = verify_all_pairs(rows, subject, n_bootstrap=100).eer.value
            found = audit(
                mine,
                None if after is None else replace(mine, vectors=after),
                {"gender": gender},
                split=split,
                quick=not options.whole,
                model=phi if options.whole else None,
                n_jobs=1,
            ).attributes[0]
            read = found.strongest
            print(
                f"{title}, {way}: {100 * read.balanced_accuracy:.1f} [{100 * read.low:.1f}, "
                f"{100 * read.high:.1f}] by {read.attacker}, {read.preparation}; EER "
                f"{100 * eer:.2f}, matched "
                f"{100 * matched(rows, subject.codes):.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
