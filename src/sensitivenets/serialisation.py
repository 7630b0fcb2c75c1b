"""Records to JSON values and back, with every field checked on the way in."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any

from sensitivenets.errors import InputError


def encode(value: Any) -> Any:
    """Turn records, tuples and numpy scalars into JSON values; undefined figures are None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [encode(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def decode(value: Any, kind: Any, where: str) -> Any:
    """Turn JSON values back into records of a dataclass `kind`.

    Raises
    ------
    InputError
        If a field is missing, unknown or of another type; `where` is put in front.
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
        return _expect(value, dict, where)
    if kind is float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return float(value) if is_number else _expect(value, float, where)
    return _expect(value, kind, where)


def _decode_record(value: Any, kind: Any, where: str) -> Any:
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


def _expect(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind):
        raise InputError(f"{where}: expected {kind.__name__}, found {value!r:.60}; run it again")
    return value
