"""The data of a benchmark in a file of arrays, for the processes that run it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from sensitivenets.audit import Split
from sensitivenets.benchmark.inputs import Attacking, Fitting, Inputs, Verifying
from sensitivenets.embeddings import Labels
from sensitivenets.verification import Pairs

# Beside the arrays: the names and classes of labels, and the sources of pairs, as JSON.
_NAMES = "names"
_PAIR_COLUMNS = ("left", "right", "same", "fold")


def save_inputs(inputs: Inputs, file: Path | BinaryIO) -> None:
    """Write the data.

    Parameters
    ----------
    inputs : Inputs
        What to write.
    file : Path or file open for writing
        Where to; a name ends in ``.npz``.
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
    writer.arrays[_NAMES] = np.array(json.dumps({"labels": writer.labels, "pairs": sources}))
    np.savez(file, allow_pickle=False, **writer.arrays)


def load_inputs(file: Path | BinaryIO) -> Inputs:
    """Read what `save_inputs` wrote.

    Parameters
    ----------
    file : Path or file open for reading
        Where it was written; one that has no name may be read, but not from a pipe.

    Returns
    -------
    Inputs
        The same data.
    """
    with np.load(file, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    names = json.loads(str(arrays[_NAMES]))

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
