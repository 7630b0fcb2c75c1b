"""The parameters of any method on the command line: NAME=VALUE, checked against the estimator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sensitivenets.errors import InputError


def estimator_parameters(method: str, settings: Sequence[str], random_state: int) -> dict[str, Any]:
    """Read ``--set`` into the parameters of the estimator.

    Parameters
    ----------
    method : str
        Name of the method.
    settings : sequence of str
        NAME=VALUE.
    random_state : int
        The seed.

    Returns
    -------
    dict
        For the class of the method; a method that can show its progress does.

    Raises
    ------
    InputError
        If a setting cannot be read, or the method has no such parameter.
    """
    from sensitivenets.benchmark.methods import check_parameters, method_named

    chosen = dict(map(_name_and_value, settings))
    check_parameters(method, chosen)
    general = {"verbose": True, "random_state": random_state}
    known = method_named(method).load()().get_params()
    return {name: value for name, value in general.items() if name in known} | chosen


def kept_column(
    method: str, parameters: Mapping[str, Any], identity: str | None, task: str | None
) -> str | None:
    """Decide what a method keeps: identities, a label, or nothing named.

    Parameters
    ----------
    method : str
        Name of the method.
    parameters : mapping
        For its class.
    identity, task : str, optional
        Columns that were named.

    Returns
    -------
    str or None
        The one that was named.

    Raises
    ------
    InputError
        If both are given, none and the method needs one, or a label where identities are kept.
    """
    from sensitivenets.benchmark.methods import method_named

    if identity is not None and task is not None:
        raise InputError("expected --identity or --task, what is to be kept, found both; give one")
    estimator = method_named(method).load()(**parameters)
    kept = identity if identity is not None else task
    if kept is None and estimator.__sklearn_tags__().target_tags.required:
        raise InputError(
            f"--method {method} keeps identities or a label: name their column with --identity or "
            "--task"
        )
    if task is not None and estimator.get_params().get("loss") == "triplet":
        raise InputError(
            f"--task: {method} with loss=triplet keeps identities; add --set loss=cross_entropy"
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
