"""What other commands measured, read from their ``--json`` for the report of an audit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sensitivenets.errors import InputError

_VERIFICATION = ("protocol", "eer", "roc")
_FAIRNESS = ("target", "sensitive", "before", "after")


def read_verification(before: Path | None, after: Path | None) -> dict[str, Any]:
    """Read what ``sensitivenets verify --json`` wrote.

    Returns
    -------
    dict
        Of each side that is given, "before" and "after".

    Raises
    ------
    InputError
        If a file is missing, or is something else.
    """
    return {
        side: _verification(path)
        for side, path in (("before", before), ("after", after))
        if path is not None
    }


def read_fairness(paths: Sequence[Path]) -> dict[str, Any]:
    """Read what ``sensitivenets fairness --json`` wrote, one file a target.

    Returns
    -------
    dict
        The results by their target.

    Raises
    ------
    InputError
        If a file is missing or is something else, or two are of one target.
    """
    from sensitivenets.fairness import EqualityOfOpportunity

    results: dict[str, Any] = {}
    read_from: dict[str, Path] = {}
    for path in paths:
        found = _load(path, "fairness", _FAIRNESS)
        try:
            result = EqualityOfOpportunity.from_dict(found)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        if result.target in results:
            raise InputError(
                f"{path}: expected another target than {read_from[result.target]}, found "
                f"{result.target!r} in both; give one file for each target"
            )
        results[result.target], read_from[result.target] = result.to_dict(), path
    return results


def _verification(path: Path) -> dict[str, Any]:
    return _load(path, "verify", _VERIFICATION)


def _load(path: Path, command: str, fields: Sequence[str]) -> dict[str, Any]:
    expected = f"{path}: expected what `sensitivenets {command} --json` writes"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except ValueError as error:
        raise InputError(f"{expected}, {error}") from error
    if not isinstance(found, dict):
        raise InputError(f"{expected}, found other JSON")
    missing = [name for name in fields if name not in found]
    if missing:
        raise InputError(f"{expected}, found JSON without {', '.join(map(repr, missing[:3]))}")
    return found
