"""Checks of estimator parameters, made before any work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sensitivenets.errors import InputError


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
    number = isinstance(value, int | float | np.number) and math.isfinite(value)
    if not (number and value > above and minimum <= value <= maximum):
        lower = f"above {above}" if above > -math.inf else f"at least {minimum}"
        upper = f" and at most {maximum}" if maximum < math.inf else ""
        raise InputError(f"{name}: expected a number {lower}{upper}; found {value!r}")
