"""How long the rows were that a map was fitted on: what a network in front of it has to make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sensitivenets.errors import InputError
from sensitivenets.maps.base import Fitted, FittedMap, Model, map_of, model_of
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.routed import RoutedMap, SubspaceMap
from sensitivenets.maps.universal_code import UniversalCode

# As far as float16 takes a unit row from unit length, and no farther.
_UNIT = 0.01


def takes_unit_rows(fitted: Model | Fitted | FittedMap) -> bool:
    """Say whether a map was fitted on rows of unit length, or on a network's output as it is.

    Parameters
    ----------
    fitted : Model, fitted estimator or FittedMap
        A map alone knows only if it begins by routing, or with a code.

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If that is not recorded, or the sets of rows that it was fitted on differ in it.
    """
    first = map_of(fitted)
    while isinstance(first, Chain):
        first = first.parts[0]
    if isinstance(first, UniversalCode):
        return True  # it looks at the direction alone
    if isinstance(first, RoutedMap | SubspaceMap) and first.lengths is not None:
        return bool(first.lengths[1] == 1)
    record = {} if isinstance(fitted, FittedMap) else model_of(fitted).fingerprint
    adapted = {name: record[name] for name in ("adapted",) if name in record}
    found = {_are_unit(data["lengths"]) for data in (adapted or record).values() if _knows(data)}
    if len(found) != 1:
        why = "some of unit length and some not" if found else "not recorded"
        raise InputError(
            f"export: the rows that the model was fitted on: {why}, so nobody can tell whether "
            "the network's output has to be scaled to unit length; fit again with this version "
            "on rows of one kind, or from Python say fuse(..., normalise=True) or False"
        )
    return found.pop()


def _knows(data: Any) -> bool:
    return isinstance(data, Mapping) and "lengths" in data


def _are_unit(lengths: Any) -> bool:
    shortest, longest = lengths
    return bool(shortest >= 1 - _UNIT and longest <= 1 + _UNIT)
