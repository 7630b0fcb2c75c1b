"""An audit result as JSON and back: one object a record, keys as the field names."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from pathlib import Path
from typing import Any

from sensitivenets.atomic import atomic_file
from sensitivenets.audit.audit_result import AuditResult
from sensitivenets.audit.results import SCHEMA_VERSION
from sensitivenets.errors import InputError


def to_json(result: AuditResult) -> str:
    """Write a result as JSON text, schema version 1.

    Each record is an object whose keys are its field names, tuples are arrays, undefined figures
    are null. Every attacker is an object with ``attacker``, ``preparation`` and
    ``balanced_accuracy`` (in [0, 1]); ``attributes[i].strongest`` is the headline, with the same
    keys; ``attributes[i].before.attackers`` lists the battery.

    Parameters
    ----------
    result : AuditResult
        What an audit found.

    Returns
    -------
    str
        Indented JSON, the same text for the same result.
    """
    return json.dumps(encode(result), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def from_json(text: str) -> AuditResult:
    """Read a result back from what `to_json` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    AuditResult
        Equal to the one written.

    Raises
    ------
    InputError
        If the text is no JSON, no audit, of a newer schema, or misses or misspells a field; the
        message says which.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"audit: expected JSON, found {error}; run the audit again") from error
    if not isinstance(document, dict) or "schema_version" not in document:
        raise InputError(
            "audit: expected an object with schema_version, found another document; "
            "give the audit.json of `sensitivenets audit`"
        )
    version = document["schema_version"]
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        raise InputError(
            f"audit: expected schema_version up to {SCHEMA_VERSION}, found {version!r}; "
            "update sensitivenets or run the audit again"
        )
    result = decode(document, AuditResult, "audit")
    assert isinstance(result, AuditResult)
    return result


def save_json(result: AuditResult, path: Path) -> None:
    """Write a result to a file, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(result), encoding="utf-8")


def load_json(path: Path) -> AuditResult:
    """Read a result from a file.

    Raises
    ------
    InputError
        If the file is missing or is no audit (see `from_json`).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: expected an audit.json, {error}") from error
    return from_json(text)


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
