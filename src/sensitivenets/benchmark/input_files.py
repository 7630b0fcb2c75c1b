"""The data of a benchmark in a folder of arrays, for the processes that run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from sensitivenets.audit import Split
from sensitivenets.benchmark.inputs import Attacking, Fitting, Inputs, Verifying
from sensitivenets.embeddings import Labels
from sensitivenets.verification import Pairs

_ARRAYS, _NAMES = "arrays.npz", "names.json"
_PAIR_COLUMNS = ("left", "right", "same", "fold")


def save_inputs(inputs: Inputs, folder: Path) -> None:
    """Write the data into a folder.

    Parameters
    ----------
    inputs : Inputs
        What to write.
    folder : Path
        Must be there.
    """
    writer = _Writer()
    fitting, attacking, verifying = inputs.fitting, inputs.attacking, inputs.verifying
    kept = {"target": fitting.target, "task": fitting.task}
    writer.add("fit", fitting.X, kept, fitting.attributes)
    if fitting.X_sensitive is not None:
        writer.arrays["sensitive.X"] = fitting.X_sensitive
    writer.add("attack", attacking.X, {"identity": attacking.split.groups}, attacking.attributes)
    writer.arrays["attack.train"] = attacking.split.train
    writer.arrays["attack.test"] = attacking.split.test
    writer.add("verify", verifying.X, {"subject": verifying.subject}, {})
    for k, pairs in enumerate(verifying.pairs.values()):
        for column in _PAIR_COLUMNS:
            writer.arrays[f"pairs.{k}.{column}"] = getattr(pairs, column)
    sources = {name: pairs.source for name, pairs in verifying.pairs.items()}
    np.savez(folder / _ARRAYS, allow_pickle=False, **writer.arrays)
    names = {"labels": writer.labels, "pairs": sources}
    (folder / _NAMES).write_text(json.dumps(names), encoding="utf-8")


def load_inputs(folder: Path) -> Inputs:
    """Read what `save_inputs` wrote.

    Parameters
    ----------
    folder : Path
        Where it was written.

    Returns
    -------
    Inputs
        The same data.
    """
    names = json.loads((folder / _NAMES).read_text(encoding="utf-8"))
    with np.load(folder / _ARRAYS, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}

    def labels(place: str, many: bool = False) -> Any:
        found = {
            name: Labels(name, arrays[f"{place}.{k}"], tuple(classes))
            for k, (name, classes) in enumerate(names["labels"][place])
        }
        return found if many else next(iter(found.values()), None)

    pairs = {
        name: Pairs(**{c: arrays[f"pairs.{k}.{c}"] for c in _PAIR_COLUMNS}, source=source)
        for k, (name, source) in enumerate(names["pairs"].items())
    }
    split = Split(arrays["attack.train"], arrays["attack.test"], labels("attack.identity"))
    return Inputs(
        Fitting(
            arrays["fit.X"],
            labels("fit.target"),
            labels("fit.attributes", many=True),
            arrays.get("sensitive.X"),
            labels("fit.task"),
        ),
        Attacking(arrays["attack.X"], labels("attack.attributes", many=True), split),
        Verifying(arrays["verify.X"], labels("verify.subject"), pairs),
    )


class _Writer:
    """Collects arrays, and the names and classes of labels."""

    def __init__(self) -> None:
        self.arrays: dict[str, Any] = {}
        self.labels: dict[str, list[tuple[str, tuple[str, ...]]]] = {}

    def add(
        self, table: str, X: Any, single: dict[str, Labels | None], attributes: dict[str, Labels]
    ) -> None:
        self.arrays[f"{table}.X"] = X
        for place, one in single.items():
            self._put(f"{table}.{place}", [] if one is None else [one])
        self._put(f"{table}.attributes", list(attributes.values()))

    def _put(self, place: str, labels: list[Labels]) -> None:
        self.labels[place] = [(one.name, one.classes) for one in labels]
        for k, one in enumerate(labels):
            self.arrays[f"{place}.{k}"] = one.codes
