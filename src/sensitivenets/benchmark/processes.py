"""Runs in parallel processes: a few at a time, each with its threads capped, none needs another."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sensitivenets.benchmark.input_files import save_inputs
from sensitivenets.benchmark.inputs import Inputs
from sensitivenets.benchmark.measure import ProtocolSettings
from sensitivenets.benchmark.plan import Run
from sensitivenets.benchmark.record import failed, save_record

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_LOOK_EVERY = 0.05
_LAST_LINES = 3


@dataclass(frozen=True)
class Limits:
    """What the runs may take together.

    Attributes
    ----------
    n_jobs : int
        Processes at a time.
    seconds : float or None
        Wall time of one run, its attackers included; None is no limit.
    """

    n_jobs: int = 2
    seconds: float | None = None


@dataclass(frozen=True)
class _Running:
    run: Run
    process: subprocess.Popen[bytes]
    started: float
    output: Path


def run_all(
    inputs: Inputs,
    runs: Sequence[Run],
    settings: ProtocolSettings,
    context: str,
    records: Path,
    *,
    limits: Limits,
    finished: Callable[[Run], None],
) -> None:
    """Do runs in processes of their own; each leaves a record, whatever becomes of it.

    Parameters
    ----------
    inputs : Inputs
        The data.
    runs : sequence of Run
        In the order to start.
    settings : ProtocolSettings
        How to measure.
    context : str
        Identifies data and settings.
    records : Path
        Folder to write records to.
    limits : Limits
        Processes at a time, and time of each.
    finished : callable
        Told of each run that ended.
    """
    records.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="sensitivenets.") as name:
        folder = Path(name)
        job: dict[str, Any] = {"settings": asdict(settings), "context": context}
        job["records"] = str(records.absolute())
        waiting = list(reversed(runs))
        with _written(inputs, folder, limits.n_jobs) as data, _processes() as running:
            job["inputs"] = str(data) if isinstance(data, Path) else None
            while waiting or running:
                while waiting and len(running) < limits.n_jobs:
                    run = waiting.pop()
                    path = folder / f"{run.key(context)}.job.json"
                    path.write_text(json.dumps({**job, "run": asdict(run)}), encoding="utf-8")
                    running.append(_start(run, path, settings.n_threads, data))
                time.sleep(_LOOK_EVERY)
                for one in list(running):
                    error = _ended(one, limits, records / f"{one.run.key(context)}.json")
                    if error is None:
                        continue
                    running.remove(one)
                    if error:
                        save_record(failed(one.run, context, error), records)
                    finished(one.run)


@contextmanager
def _written(inputs: Inputs, folder: Path, n_jobs: int) -> Iterator[Path | int]:
    """Yield the file of the data, or, for one process at a time, a file without a name.

    What has no name is gone with whoever holds it, however they end: a cluster kills its workers
    and all that they started. Several processes at a time would share their place in it.
    """
    if n_jobs > 1:
        save_inputs(inputs, folder / "inputs.npz")
        yield folder / "inputs.npz"
        return
    with tempfile.TemporaryFile() as file:
        save_inputs(inputs, file)
        file.flush()
        yield file.fileno()


@contextmanager
def _processes() -> Iterator[list[_Running]]:
    """Yield the list of what is running; what is left in it is ended, not finished."""
    running: list[_Running] = []
    try:
        yield running
    finally:
        for one in running:
            one.process.kill()
        for one in running:
            one.process.wait()


def _start(run: Run, job: Path, n_threads: int, data: Path | int) -> _Running:
    output = job.with_suffix(".txt")
    command = [sys.executable, "-m", "sensitivenets.benchmark.worker", str(job)]
    environment = os.environ | dict.fromkeys(_THREADS, str(n_threads))
    stdin = subprocess.DEVNULL
    if isinstance(data, int):
        stdin = data
        os.lseek(data, 0, os.SEEK_SET)
    with output.open("wb") as file:
        # A group of its own: Ctrl-C reaches the parent, which ends its processes itself.
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=file,
            stderr=file,
            env=environment,
            start_new_session=True,
        )
    return _Running(run, process, time.monotonic(), output)


def _ended(one: _Running, limits: Limits, record: Path) -> str | None:
    """Return None if it still runs, "" if it left a record, else why it left none."""
    code = one.process.poll()
    if code is None:
        late = limits.seconds is not None and time.monotonic() - one.started > limits.seconds
        if not late:
            return None
        one.process.kill()
        one.process.wait()
        return f"took longer than the {limits.seconds:g} seconds of the time limit"
    if code == 0 and record.exists():
        return ""
    said = one.output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    if code < 0:
        name = signal.Signals(-code).name
        hint = "; out of memory, perhaps: run fewer at a time" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with {code}: {' '.join(said[-_LAST_LINES:]) or 'it said nothing'}"
