"""The evidence beside an attack: what was kept, fairness, a map of the rows, where it came from."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sensitivenets.audit.splits import Split
from sensitivenets.embeddings.tsne import MapPair, compute_maps
from sensitivenets.errors import DataWarning, InputError, some_of
from sensitivenets.fairness import EqualityOfOpportunity
from sensitivenets.report.inputs import AuditInputs
from sensitivenets.report.provenance import GivenFiles
from sensitivenets.report.recognition import Experiment, Verified, read_verified
from sensitivenets.verification import verify_all_pairs

_VERIFICATION = ("protocol", "eer", "roc")
_FAIRNESS = ("target", "sensitive", "before", "after")


def read_verification(given: Mapping[str, Verified | str | Path]) -> tuple[Experiment, ...]:
    """Take what was measured apart: results, or files of ``sensitivenets verify --json``.

    Parameters
    ----------
    given : mapping of str to VerificationResult, AllPairsResult or path
        Under "before" and "after".

    Returns
    -------
    tuple of Experiment
        One, or none if nothing was given.

    Raises
    ------
    InputError
        If a file is missing or is something else, or a side has another name.
    """
    other = set(given) - {"before", "after"}
    if other:
        raise InputError(f"verification: expected 'before' and 'after', found {sorted(other)}")
    sides = {side: _verified(measured) for side, measured in given.items()}
    return (Experiment(sides.get("before"), sides.get("after")),) if sides else ()


def read_fairness(
    given: Sequence[EqualityOfOpportunity | str | Path],
) -> dict[str, EqualityOfOpportunity]:
    """Take what was measured apart: results, or files of ``sensitivenets fairness --json``.

    Returns
    -------
    dict of str to EqualityOfOpportunity
        The results by their target.

    Raises
    ------
    InputError
        If a file is missing or is something else, or two are of one target.
    """
    results: dict[str, EqualityOfOpportunity] = {}
    read_from: dict[str, str] = {}
    for item in given:
        result = item if isinstance(item, EqualityOfOpportunity) else _opportunity(Path(item))
        name = "fairness" if isinstance(item, EqualityOfOpportunity) else str(item)
        if result.target in results:
            raise InputError(
                f"{name}: expected another target than {read_from[result.target]}, found "
                f"{result.target!r} in both; give one file for each target"
            )
        results[result.target], read_from[result.target] = result, name
    return results


def given_files(
    verification: Mapping[str, Verified | str | Path],
    fairness: Sequence[EqualityOfOpportunity | str | Path],
) -> GivenFiles:
    """Name the files among what was measured apart."""
    return GivenFiles(
        tuple(str(item) for item in verification.values() if isinstance(item, (str, Path))),
        tuple(str(item) for item in fairness if isinstance(item, (str, Path))),
    )


def measure_verification(
    inputs: AuditInputs, split: Split, random_state: int
) -> tuple[tuple[Experiment, ...], tuple[str, ...]]:
    """Measure what was kept: all pairs of the test rows, where identities have several.

    Returns
    -------
    experiments : tuple of Experiment
        Empty if the split knows no identities, or there is no pair of one person.
    notes : tuple of str
        Why it was not measured; also told as a `DataWarning`.
    """
    if split.groups is None:
        return (), ()
    tested = split.groups.take(split.test)
    domain = None if inputs.domain is None else inputs.domain.take(split.test)
    try:
        measured = {
            side: verify_all_pairs(
                vectors[split.test], tested, domain=domain, random_state=random_state
            )
            for side, vectors in inputs.sides.items()
        }
    except InputError as error:
        # An audit of what leaks is worth having without it.
        return (), _warn(f"verification: not measured, {error}")
    return (Experiment(measured["before"], measured.get("after")),), ()


def draw_maps(
    inputs: AuditInputs, split: Split, random_state: int
) -> tuple[MapPair | None, tuple[str, ...]]:
    """Compute the t-SNE maps of the test rows, coloured by the attributes crossed.

    Returns
    -------
    maps : MapPair or None
        None if there is no attribute, or too few rows.
    notes : tuple of str
        Why there is none; also told as a `DataWarning`.
    """
    if not inputs.attributes:
        return None, ()
    attributes = {name: labels.take(split.test) for name, labels in inputs.attributes.items()}
    try:
        maps = compute_maps(
            inputs.before[split.test],
            None if inputs.after is None else inputs.after[split.test],
            attributes,
            random_state=random_state,
        )
    except InputError as error:
        # An audit is worth having without its picture.
        return None, _warn(f"maps: not drawn, {error}")
    return maps, ()


def _warn(note: str) -> tuple[str, ...]:
    warnings.warn(note, DataWarning, stacklevel=4)
    return (note,)


def _verified(measured: Verified | str | Path) -> Verified:
    if not isinstance(measured, (str, Path)):
        return measured
    found = _load(Path(measured), "verify", _VERIFICATION)
    try:
        return read_verified(found)
    except InputError as error:
        raise InputError(f"{measured}: {error}") from error


def _opportunity(path: Path) -> EqualityOfOpportunity:
    found = _load(path, "fairness", _FAIRNESS)
    try:
        return EqualityOfOpportunity.from_dict(found)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


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
        raise InputError(f"{expected}, found JSON without {some_of(missing)}")
    return found
