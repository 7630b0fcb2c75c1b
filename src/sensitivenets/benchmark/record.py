"""What one run left: its figures, or why there are none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensitivenets.atomic import atomic_file
from sensitivenets.audit import AttackerResult, Headline
from sensitivenets.benchmark.plan import Run
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.serialisation import decode, encode

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AttackFigures:
    """What attackers read of one attribute after the map.

    Attributes
    ----------
    name : str
        The attribute; attributes crossed are ``"gender x ethnicity"``.
    chance : float
        Balanced accuracy of a guess.
    strongest : Headline
        The strongest attacker, on the embeddings or on what the inversion recovered.
    map_secret : Headline
        The strongest on the embeddings.
    attackers : tuple of AttackerResult
        All, on the embeddings.
    inverted : tuple of AttackerResult
        All, on what the inversion recovered; empty if it was not tried.
    shuffled_at_chance : bool
        Whether attackers trained on shuffled labels were at chance. If not, the attack is broken.
    """

    name: str
    chance: float
    strongest: Headline
    map_secret: Headline
    attackers: tuple[AttackerResult, ...]
    inverted: tuple[AttackerResult, ...]
    shuffled_at_chance: bool


@dataclass(frozen=True)
class AcceptRate:
    """True accepts at one false match rate.

    Attributes
    ----------
    fmr : float
        The false match rate allowed.
    tar : Estimate or None
        1 - FNMR, in [0, 1]; higher is better. None if the pairs are too few for this rate.
    """

    fmr: float
    tar: Estimate | None


@dataclass(frozen=True)
class VerificationFigures:
    """Verification after the map, on one set of pairs.

    Attributes
    ----------
    name : str
        The protocol, or ``"all pairs"``.
    n_pairs : int
        Genuine and impostor pairs.
    accuracy : Estimate or None
        Share of pairs decided rightly; None for all pairs. Higher is better.
    eer : Estimate
        Equal error rate; lower is better.
    accept_rates : tuple of AcceptRate
        At each false match rate.
    """

    name: str
    n_pairs: int
    accuracy: Estimate | None
    eer: Estimate
    accept_rates: tuple[AcceptRate, ...]


@dataclass(frozen=True)
class Figures:
    """All that was measured of one fitted map.

    Attributes
    ----------
    fit_seconds : float
        Wall time of `fit`.
    transform_rows_per_second : float
        Of `transform` on the rows attacked, the best of three.
    peak_memory : int or None
        Bytes that `fit` took at its most, beside the data.
    n_features : int
        Of the output.
    attributes : tuple of AttackFigures
        What leaks.
    inversion_cosine : float or None
        Mean cosine of recovered and true test rows; None if the inversion was not tried.
    verification : tuple of VerificationFigures
        What was kept.
    """

    fit_seconds: float
    transform_rows_per_second: float
    peak_memory: int | None
    n_features: int
    attributes: tuple[AttackFigures, ...]
    inversion_cosine: float | None
    verification: tuple[VerificationFigures, ...]


@dataclass(frozen=True)
class RunRecord:
    """One finished run.

    Attributes
    ----------
    key : str
        Name of the run and of its file (`Run.key`).
    context : str
        Identifies data, settings and version: records of one context may be compared.
    method, parameters, seed
        As in `Run`.
    figures : Figures or None
        None if the run failed.
    error : str or None
        Why it failed.
    notes : tuple of str
        Warnings of the method, such as a collapsed output.
    schema_version : int
        Version of these fields.
    """

    key: str
    context: str
    method: str
    parameters: dict[str, Any]
    seed: int
    figures: Figures | None
    error: str | None
    notes: tuple[str, ...] = field(default=())
    schema_version: int = SCHEMA_VERSION

    @property
    def run(self) -> Run:
        """What was run."""
        return Run(self.method, self.parameters, self.seed)


def failed(run: Run, context: str, error: str, notes: Sequence[str] = ()) -> RunRecord:
    """Record that a run failed, and why."""
    return RunRecord(
        run.key(context),
        context,
        run.method,
        run.parameters,
        run.seed,
        None,
        " ".join(error.split()),
        tuple(notes),
    )


def save_record(record: RunRecord, folder: Path) -> Path:
    """Write a record to ``folder/<key>.json``, whole or not at all."""
    path = folder / f"{record.key}.json"
    text = json.dumps(encode(record), indent=1, allow_nan=False, ensure_ascii=False)
    with atomic_file(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def load_record(path: Path) -> RunRecord:
    """Read a record.

    Raises
    ------
    InputError
        If the file holds something else.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: expected the record of a run, {error}; delete it") from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != SCHEMA_VERSION:
        raise InputError(
            f"{path}: expected the record of a run of version {SCHEMA_VERSION}, found version "
            f"{version!r}; delete it"
        )
    record = decode(document, RunRecord, str(path))
    assert isinstance(record, RunRecord)
    return record


def load_records(folder: Path) -> list[RunRecord]:
    """Read all records of a folder, in the order of their names; files half-written are hidden."""
    return [load_record(path) for path in sorted(folder.glob("[!.]*.json"))]
