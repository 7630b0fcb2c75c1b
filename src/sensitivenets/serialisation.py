"""Records to JSON values and back, with every field checked on the way in.

A record is a dataclass; its JSON object has the names of its fields. A record that is written
otherwise says so by `to_dict` and `from_dict`, which then are used for it, however deep it lies.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any

import numpy as np

from sensitivenets.errors import InputError


def encode(value: Any) -> Any:
    """Turn records, tuples and numpy values into JSON values; undefined figures are None."""
    if isinstance(value, np.ndarray):
        return encode(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return encode(value.to_dict()) if hasattr(value, "to_dict") else encode_fields(value)
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def encode_fields(record: Any) -> dict[str, Any]:
    """Turn a record into an object of its fields, whatever its own `to_dict` does."""
    return {f.name: encode(getattr(record, f.name)) for f in dataclasses.fields(record)}


def decode(value: Any, kind: Any, where: str) -> Any:
    """Turn JSON values back into what the type hint `kind` says, records of a dataclass first.

    Raises
    ------
    InputError
        If a field is missing, unknown or of another type, or a number is not finite; `where` is
        put in front.
    """
    if dataclasses.is_dataclass(kind):
        return _decode_record(value, kind, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is types.UnionType:
        return None if value is None else decode(value, arguments[0], where)
    if origin is tuple:
        _expect(value, list, where)
        return tuple(decode(item, arguments[0], f"{where}[{i}]") for i, item in enumerate(value))
    if origin is dict:
        _expect(value, dict, where)
        return {key: decode(item, arguments[1], f"{where}.{key}") for key, item in value.items()}
    if kind is Any:
        return value
    if origin is typing.Literal:
        if value not in arguments:
            raise InputError(f"{where}: expected one of {arguments}, found {value!r:.60}")
        return value
    if kind is float:
        return _number(value, where)
    if kind is int and isinstance(value, bool):
        raise InputError(f"{where}: expected int, found {value}; run it again")
    return _expect(value, kind, where)


def decode_fields(value: Any, kind: Any, where: str) -> Any:
    """Turn an object of its fields back into a record, whatever its own `from_dict` does.

    Raises
    ------
    InputError
        As `decode` does.
    """
    _expect(value, dict, where)
    hints = typing.get_type_hints(kind)
    missing, unknown = hints.keys() - value.keys(), value.keys() - hints.keys()
    if missing or unknown:
        parts = [f"lacks {sorted(missing)}"] if missing else []
        parts += [f"has unknown {sorted(unknown)}"] if unknown else []
        raise InputError(
            f"{where}: expected the fields of {kind.__name__}, but it {' and '.join(parts)}; "
            "run it again"
        )
    return kind(**{key: decode(value[key], hints[key], f"{where}.{key}") for key in hints})


def _decode_record(value: Any, kind: Any, where: str) -> Any:
    if not hasattr(kind, "from_dict"):
        return decode_fields(value, kind, where)
    _expect(value, dict, where)
    try:
        return kind.from_dict(value)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise InputError(f"{where}: expected a finite number, found {value!r:.60}; run it again")
    return float(value)


def _expect(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise InputError(f"{where}: expected {kind.__name__}, found {value!r:.60}; run it again")
    return value
