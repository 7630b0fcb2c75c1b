"""The parameters of any method on the command line: NAME=VALUE, checked against the estimator."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import Group, Parameter

from sensitivenets.errors import InputError

#: The method whose parameters are options of their own.
SENSITIVENET = "sensitivenet"
# Options of SensitiveNet that any method may have.
_GENERAL = ("random_state", "device")
_TRAINING = Group("Training", sort_key=2)


def estimator_parameters(
    method: str, training: TrainingOptions, settings: Sequence[str]
) -> dict[str, Any]:
    """Join options and ``--set`` to the parameters of the estimator.

    Parameters
    ----------
    method : str
        Name of the method.
    training : TrainingOptions
        The options of SensitiveNet; of other methods only the seed and the device may be set by
        them.
    settings : sequence of str
        NAME=VALUE.

    Returns
    -------
    dict
        For the class of the method.

    Raises
    ------
    InputError
        If the method lacks a parameter, or an option is not for this method.
    """
    from sensitivenets.benchmark.methods import check_parameters, method_named

    chosen = dict(map(_name_and_value, settings))
    check_parameters(method, chosen)
    known = method_named(method).load()().get_params()
    options = dataclasses.asdict(training)
    if method == SENSITIVENET:
        for name in chosen.keys() & options.keys():
            raise InputError(f"--set {name}: give it as {_option(name)}")
        return {"verbose": True} | options | chosen
    changed = [f.name for f in dataclasses.fields(training) if options[f.name] != f.default]
    for name in changed:
        if name not in _GENERAL or name not in known:
            raise InputError(
                f"{_option(name)} is for --method {SENSITIVENET}; parameters of {method} are given "
                "as --set NAME=VALUE"
            )
    general = {name: options[name] for name in _GENERAL if name in known}
    verbose = {"verbose": True} if "verbose" in known else {}
    return verbose | general | chosen


def kept_column(method: str, identity: str | None, task: str | None) -> str | None:
    """Decide what a method other than SensitiveNet keeps: identities, a label, or nothing named.

    Raises
    ------
    InputError
        If both are given, or none and the method needs one.
    """
    from sensitivenets.benchmark.methods import method_named

    if identity is not None and task is not None:
        raise InputError("expected --identity or --task, what is to be kept, found both; give one")
    kept = identity if identity is not None else task
    if kept is None and method_named(method).load()().__sklearn_tags__().target_tags.required:
        raise InputError(
            f"--method {method} keeps identities or a label: name their column with --identity or "
            "--task"
        )
    return kept


def _name_and_value(text: str) -> tuple[str, Any]:
    """Split NAME=VALUE; a value that is no JSON is text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise InputError(f"--set: expected NAME=VALUE, such as n_rounds=3, found {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


@Parameter(name="*", group=_TRAINING)
@dataclass(frozen=True)
class TrainingOptions:
    """The parameters of SensitiveNet; the defaults are the estimator's.

    Attributes
    ----------
    loss
        What is kept: identities (triplet), or the label of --task with two classes (bce) or more
        (cross_entropy).
    n_layers
        Layers, trained one after the other.
    n_units
        Features of each layer and of the output.
    n_epochs
        Passes over the triplets, or the rows, for each layer; the default depends on the loss.
    batch_size
        Triplets, or rows, a step.
    learning_rate
        Of Adam.
    margin
        alpha of the triplet loss.
    n_triplets
        Triplets to draw.
    hinge
        Stop the triplet loss at zero.
    adversarial_weight
        Weight of removing against keeping; 0 removes nothing.
    target
        Probability that detectors are driven to; chance is one over the number of classes.
    detector_solver
        Detectors solved to their optimum, or by the paper's recipe.
    device
        Torch device; the GPU if there is one, unless given.
    random_state
        The seed, which decides everything random.
    """

    loss: Literal["triplet", "bce", "cross_entropy"] = "triplet"
    n_layers: int = 3
    n_units: int = 1024
    n_epochs: int | None = None
    batch_size: int = 512
    learning_rate: float = 1e-3
    margin: float = 0.2
    n_triplets: int = 100_000
    hinge: Annotated[bool, Parameter(negative="--no-hinge")] = True
    adversarial_weight: float = 1.0
    target: float | Literal["chance"] = "chance"
    detector_solver: Literal["lbfgs", "adam"] = "lbfgs"
    device: str | None = None
    random_state: int = 0
