"""Errors and warnings of our own; each message says what was expected, found, and what to do."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np


class InputError(ValueError):
    """Data or a parameter cannot be used; the message names where, and the remedy."""


class ModelFolderError(InputError):
    """A model folder is missing, truncated, tampered with, foreign, or from a newer version."""


class DataWarning(UserWarning):
    """The data is usable but contradicts itself: duplicated rows, an identity with two genders."""


class CollapseWarning(UserWarning):
    """A representation has lost its rank or its spread, so that it says little about anything."""


class DetectorWarning(UserWarning):
    """A sensitivity detector never learned its attribute, so nothing can be removed by it."""


class FewRowsWarning(UserWarning):
    """A predicted group has too few rows for its moments to hide people who are not among them."""


class BudgetWarning(UserWarning):
    """Nothing that was tried hides an attribute within what may be lost, so nothing is removed."""


def require_one_of(name: str, value: Any, allowed: Sequence[str]) -> None:
    """Refuse a value that is not in a list.

    Raises
    ------
    InputError
        Naming the parameter, the allowed values and the value found.
    """
    if value not in allowed:
        raise InputError(
            f"{name}: expected one of {', '.join(map(repr, allowed))}; found {value!r}"
        )


def require_int(name: str, value: Any, *, minimum: int) -> None:
    """Refuse a value that is no integer of at least `minimum`.

    Raises
    ------
    InputError
        Naming the parameter, the bound and the value found.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < minimum:
        raise InputError(f"{name}: expected an integer of at least {minimum}; found {value!r}")


def require_real(
    name: str,
    value: Any,
    *,
    above: float = -math.inf,
    minimum: float = -math.inf,
    maximum: float = math.inf,
) -> None:
    """Refuse a value that is no finite number in a range.

    Raises
    ------
    InputError
        Naming the parameter, the range and the value found.
    """
    if not (_is_finite(value) and value > above and minimum <= value <= maximum):
        lower = f"above {above}" if above > -math.inf else f"at least {minimum}"
        upper = f" and at most {maximum}" if maximum < math.inf else ""
        raise InputError(f"{name}: expected a number {lower}{upper}; found {value!r:.80}")


def _is_finite(value: Any) -> bool:
    if not isinstance(value, int | float | np.number):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False  # a whole number of hundreds of digits
