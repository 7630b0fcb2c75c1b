"""What a benchmark will run: methods x parameters x seeds, each with a name of its own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from sensitivenets.benchmark.methods import METHODS, check_parameters, method_named
from sensitivenets.errors import InputError

ALL = "all"
#: The method that changes nothing: what the others are compared with.
UNCHANGED = "none"


@dataclass(frozen=True)
class Run:
    """One fit and all that is measured of it.

    Attributes
    ----------
    method : str
        Name of the method, or ``package.module:Class``.
    parameters : dict
        What is not left at its default, as JSON values.
    seed : int
        `random_state` of the estimator.
    """

    method: str
    parameters: dict[str, Any]
    seed: int

    def key(self, context: str) -> str:
        """Name this run on given data and settings: the same name means the same result."""
        return digest({"context": context, **asdict(self)})

    def __str__(self) -> str:
        return f"{label(self.method, self.parameters)}, seed {self.seed}"


def label(method: str, parameters: Mapping[str, Any]) -> str:
    """Write a method and what is set of it: ``ive (removed=0.5)``."""
    settings = ", ".join(f"{name}={_text(value)}" for name, value in parameters.items())
    return f"{method} ({settings})" if settings else method


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def plan_runs(
    methods: Sequence[str],
    seeds: Sequence[int],
    grid: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    *,
    has_task: bool = False,
) -> list[Run]:
    """List the runs of a benchmark.

    Parameters
    ----------
    methods : sequence of str
        Names of methods; ``"all"`` is every method that can be run.
    seeds : sequence of int
        Each point is run with each.
    grid : mapping of str to sequence of mapping, optional
        The points of some methods, instead of their own.
    has_task : bool, default=False
        Whether there is a label of few classes to keep; without it, `need_a_task` are not in
        ``"all"``.

    Returns
    -------
    list of Run
        Without repetitions, all methods with the first seed first.

    Raises
    ------
    InputError
        If a method is unknown, lacks a parameter or its task, or the grid is of a method not asked
        for.
    """
    every = [name for name in METHODS if has_task or name not in need_a_task()]
    names = [name for method in methods for name in (every if method == ALL else [method])]
    names = list(dict.fromkeys(names))
    for name in names:
        if method_named(name).keeps_task and not has_task:
            raise InputError(
                f"{name} keeps a label of few classes and no identities: name its column with "
                "--task, such as --task smiling, or leave the method out"
            )
    grid = grid or {}
    for name in grid:
        if name not in names:
            raise InputError(
                f"grid: {name!r} is not among the methods to run: {', '.join(names)}; add it or "
                "leave it out of the grid"
            )
    points = []
    for name in names:
        for parameters in grid.get(name, method_named(name).grid):
            check_parameters(name, parameters)
            points.append((name, dict(parameters)))
    runs = [Run(name, parameters, seed) for seed, (name, parameters) in product(seeds, points)]
    if not runs:
        raise InputError("benchmark: expected a method and a seed, found nothing to run")
    return [run for k, run in enumerate(runs) if run not in runs[:k]]


def need_a_task() -> list[str]:
    """Names of the methods that keep a label of few classes, and cannot keep identities."""
    return [name for name, method in METHODS.items() if method.keeps_task]


def read_grid(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read which parameters to try.

    Parameters
    ----------
    path : Path
        JSON: for each method an object of lists, all combinations of which are tried, such as
        ``{"ive": {"removed": [0.25, 0.5]}}``, or a list of such objects, each with values
        instead of lists for single points.

    Returns
    -------
    dict of str to list of dict
        The points of each method.

    Raises
    ------
    InputError
        If the file is missing or holds something else.
    """
    example = 'such as {"ive": {"removed": [0.25, 0.5]}}'
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValueError as error:
        raise InputError(f"{path}: expected JSON, {example}; {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected an object of methods, {example}")
    return {name: _points(name, value, path) for name, value in found.items()}


def _points(name: str, value: Any, path: Path) -> list[dict[str, Any]]:
    grids = value if isinstance(value, list) else [value]
    if not grids or not all(isinstance(one, dict) for one in grids):
        raise InputError(
            f"{path}: {name!r}: expected an object of parameters, or a list of them; "
            f"found {value!r:.60}"
        )
    points = []
    for one in grids:
        choices = [v if isinstance(v, list) else [v] for v in one.values()]
        points += [dict(zip(one, chosen, strict=True)) for chosen in product(*choices)]
    if not points:
        raise InputError(f"{path}: {name!r}: expected a value for each parameter, found none")
    return points


def digest(value: Any) -> str:
    """SHA-256 of a JSON value, whatever the order of its keys; 24 digits."""
    text = json.dumps(value, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
