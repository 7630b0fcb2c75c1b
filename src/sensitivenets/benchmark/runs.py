"""The benchmark: every method, parameter and seed against the same attackers, and resumed."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sensitivenets.benchmark.inputs import Inputs
from sensitivenets.benchmark.measure import ProtocolSettings
from sensitivenets.benchmark.on_engine import OneRun, run_all_on
from sensitivenets.benchmark.plan import Run, digest
from sensitivenets.benchmark.processes import Limits, run_all
from sensitivenets.benchmark.record import SCHEMA_VERSION, RunRecord, load_record, load_records
from sensitivenets.engines import Engine
from sensitivenets.progress import Progress, Steps
from sensitivenets.version import __version__

#: Folder of the records, in the folder of the benchmark.
RUNS = "runs"


@dataclass(frozen=True)
class Benchmark:
    """All finished runs of one benchmark.

    Attributes
    ----------
    records : tuple of RunRecord
        Of this data and these settings, in the order asked for; then those that earlier calls
        finished beside.
    n_taken_up : int
        Runs asked for that were finished before.
    n_foreign : int
        Records in the folder of other data, settings or versions: left out.
    facts : dict
        Data, settings, versions and machine, as JSON values.
    """

    records: tuple[RunRecord, ...]
    n_taken_up: int
    n_foreign: int
    facts: dict[str, Any]


def benchmark(
    inputs: Inputs,
    runs: Sequence[Run],
    out: Path,
    *,
    settings: ProtocolSettings,
    limits: Limits,
    engine: Engine | None = None,
    retry: bool = False,
    progress: Progress | None = None,
) -> Benchmark:
    """Run what has not been run, and collect all records.

    Every run has a process of its own, with its threads capped, and leaves
    ``out/runs/<key>.json``, written when it is finished. A benchmark that was interrupted
    goes on with what is missing; one run that fails does not stop the others.

    Parameters
    ----------
    inputs : Inputs
        The data.
    runs : sequence of Run
        As `plan_runs` lists them.
    out : Path
        Folder; made if it is not there.
    settings : ProtocolSettings
        How to measure.
    limits : Limits
        Processes at a time, and time of each run.
    engine : Engine, optional
        Does the runs instead, each in a process of its own there; it says how many at a time.
    retry : bool, default=False
        Whether to run again what failed before.
    progress : Progress, optional
        Told of each run.

    Returns
    -------
    Benchmark
        Its records do not depend on `limits` and `engine`, times and memory apart.

    Raises
    ------
    InputError
        If a file in the folder of records is no record.
    """
    records = out / RUNS
    facts = {"data": inputs.facts(), "settings": asdict(settings), "version": __version__}
    context = digest({"data": inputs.digest(), "schema": SCHEMA_VERSION} | facts)
    keys = {run.key(context): run for run in runs}
    missing = [run for key, run in keys.items() if not _is_done(records, key, retry=retry)]
    steps = Steps(len(keys), progress, len(keys) - len(missing))
    if progress is not None:
        progress(steps.done, steps.total, "")

    def finished(run: Run) -> None:
        steps.advance(str(run))

    if missing and engine is not None:
        one_run = OneRun(inputs, settings, context, limits.seconds)
        run_all_on(engine, one_run, missing, records, finished=finished)
    elif missing:
        run_all(inputs, missing, settings, context, records, limits=limits, finished=finished)
    found = {record.key: record for record in load_records(records)}
    ours = {key: record for key, record in found.items() if record.context == context}
    asked = [ours[key] for key in keys]
    return Benchmark(
        records=(*asked, *(record for key, record in ours.items() if key not in keys)),
        n_taken_up=len(keys) - len(missing),
        n_foreign=len(found) - len(ours),
        facts=facts | {"machine": _machine(), "context": context},
    )


def _is_done(records: Path, key: str, *, retry: bool) -> bool:
    path = records / f"{key}.json"
    return path.exists() and not (retry and load_record(path).figures is None)


def _machine() -> dict[str, str]:
    return {"system": platform.platform(), "python": platform.python_version()}
