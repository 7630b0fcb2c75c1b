"""Table II again: what obfuscated photographs of CelebA still say about gender.

Reads the folder in SENSITIVENETS_DATA. Three sets of subjects: one to fit obfuscators, pixel
classifiers to confound and maps of embeddings; one to train attackers; one to test. Everything made
is kept in a folder of yours, where an interrupted run goes on: faces, obfuscators, measurements,
and a contact sheet of real faces, which does not belong in a repository.

    python experiments/table_two.py --work FOLDER [--only semi_adversarial] [--seed 0] [--jobs 2]

Systems are trained side by side, each on one core: to the same weights as one after the other.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np
import torch
from table_two_faces import embed, face_network, prepare
from table_two_measures import Measures, print_tables
from table_two_systems import SYSTEMS, obfuscators, say

from sensitivenets.atomic import atomic_file
from sensitivenets.obfuscation.contact_sheet import contact_sheet


def main() -> None:
    """Train what is not there, measure what was not measured, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=SYSTEMS, action="append")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="systems at a time")
    parser.add_argument("--train-only", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "2")))
    folder, work = Path(os.environ["SENSITIVENETS_DATA"]), arguments.work
    work.mkdir(parents=True, exist_ok=True)
    data = prepare(folder, work)
    say(f"{len(data.fit)} faces to fit, {len(data.attack)} to attack, {len(data.test)} to test")
    names = arguments.only or list(SYSTEMS)
    systems = obfuscators(names, arguments.seed, folder, work, arguments.jobs)
    if arguments.train_only:
        return
    held = np.concatenate([data.attack, data.test])
    table, pixels = data.table.take(held), data.pixels[held]
    measures = Measures(table, pixels, len(data.attack), arguments.seed, work)
    records = [measures.originals(), *measures.maps(data.table.take(data.fit))]
    network = face_network(folder)
    for name, system in systems.items():
        changed = system.apply_to(pixels)
        path = work / f"{name}-{arguments.seed}.npy"
        if not path.exists():
            with atomic_file(path) as temporary, temporary.open("wb") as file:
                np.save(file, embed(changed, network))
        records.append(measures.obfuscated(name, changed, np.load(path)))
        some = slice(len(data.attack), len(data.attack) + 10)
        contact_sheet(pixels[some], changed[some], work / f"{name}-{arguments.seed}.png")
    print_tables(records)


if __name__ == "__main__":
    main()
