"""An audit as JSON and back: one object a record, keys as the field names."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from sensitivenets.atomic import atomic_file
from sensitivenets.audit.results import SCHEMA_VERSION, VOTING_ENSEMBLE, AuditResult
from sensitivenets.errors import InputError
from sensitivenets.report.record import AuditRecord, as_record
from sensitivenets.report.verdict import verdict_of

_COMMITTEE = "committee"


def to_json(result: AuditResult) -> str:
    """Write a result as JSON text, schema version 3.

    Each record is an object whose keys are its field names, tuples are arrays, undefined figures
    are null; ``verdict`` puts it in short. Every attacker is an object with ``attacker``,
    ``preparation`` and ``balanced_accuracy`` (in [0, 1]); ``attributes[i].strongest`` is the
    headline, with the same keys; ``attributes[i].before.attackers`` lists the battery.

    Parameters
    ----------
    result : AuditResult
        What an audit found, with its evidence or without.

    Returns
    -------
    str
        Indented JSON, the same text for the same result.
    """
    record = as_record(result)
    found = record.to_dict() | {"verdict": verdict_of(record).to_dict()}
    return json.dumps(found, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def from_json(text: str) -> AuditRecord:
    """Read a result back from what `to_json` wrote.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    AuditRecord
        What was written; coordinates of maps are rounded.

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
    return AuditRecord.from_dict(_upgraded(document))


def _upgraded(document: dict[str, Any]) -> dict[str, Any]:
    """Add to a document of an earlier version what it could not say yet: nothing was looked for."""
    upgraded = copy.deepcopy(document) | {"schema_version": SCHEMA_VERSION}
    # It follows from the rest, and is written anew.
    upgraded.pop("verdict", None)
    if document["schema_version"] < 4:
        upgraded["drawn"] = None
    if document["schema_version"] < 3:
        upgraded |= {"rows": None, "correspondence": None, "collusion": [], "held": None}
        upgraded |= {"outsiders_read": {}, "certificates": None, "left_out": []}
    if document["schema_version"] < 2:
        _add_closer_looks(upgraded)
        upgraded["attributes"], upgraded["joint"] = _renamed([
            upgraded.get("attributes"),
            upgraded.get("joint"),
        ])
    return upgraded


def _add_closer_looks(document: dict[str, Any]) -> None:
    for attribute in (*document.get("attributes", ()), document.get("joint")):
        controls = (attribute or {}).get("controls") or {}
        named = [(attribute or {}).get(side) for side in ("before", "after", "inverted")]
        named += [controls.get(side) for side in ("shuffled", "random_projection")]
        for battery in filter(None, named):
            battery |= {"confident": [], "detections": [], "several_templates": []}
            battery["worst_subgroup"] = None


def _renamed(value: Any) -> Any:
    """Call the vote of the best attackers by its name of today, wherever it occurs."""
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: VOTING_ENSEMBLE if (key, item) == ("attacker", _COMMITTEE) else _renamed(item)
        for key, item in value.items()
    }


def save_json(result: AuditResult, path: Path) -> None:
    """Write a result to a file, whole or not at all."""
    with atomic_file(path) as temporary:
        temporary.write_text(to_json(result), encoding="utf-8")


def load_json(path: Path) -> AuditRecord:
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
