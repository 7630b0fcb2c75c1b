"""What a method promises, costs, needs, and can be set to: read from its class."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sensitivenets.benchmark.methods import method_named


@dataclass(frozen=True)
class MethodFacts:
    """What to know of a method before it is fitted.

    Attributes
    ----------
    name : str
        As it is asked for.
    promise : str
        What it does, in a sentence: the first of its documentation.
    cost : str
        Time of a fit, and what else it costs; empty for a class of your own.
    needs : tuple of str
        What a fit needs beside embeddings and attributes.
    parameters : mapping of str to value
        Those that can be set, with their defaults.
    documentation : str
        All of it.
    """

    name: str
    promise: str
    cost: str
    needs: tuple[str, ...]
    parameters: Mapping[str, Any]
    documentation: str


def facts_of(name: str) -> MethodFacts:
    """Read the facts of a method.

    Parameters
    ----------
    name : str
        As for `method_named`.

    Returns
    -------
    MethodFacts

    Raises
    ------
    InputError
        If there is no such method.
    """
    method = method_named(name)
    made = method.load()()
    written = inspect.getdoc(type(made)) or ""
    needs = ["torch"] if method.needs_torch else []
    if method.keeps_task:
        needs.append("a label of few classes (--task)")
    elif made.__sklearn_tags__().target_tags.required:
        needs.append("identities or a label (--identity, --task)")
    if method.adapts:
        needs.append("the table at hand, unlabelled (fit, then adapt; or protect)")
    parameters = {key: value for key, value in made.get_params().items() if key != "random_state"}
    promise = written.partition("\n\n")[0].replace("\n", " ")
    return MethodFacts(name, promise, method.cost, tuple(needs), parameters, written)
