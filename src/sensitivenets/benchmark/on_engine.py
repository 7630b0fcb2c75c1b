"""Runs on an engine: each in a process of its own, on whatever machine takes it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sensitivenets.benchmark.inputs import Inputs
from sensitivenets.benchmark.measure import ProtocolSettings
from sensitivenets.benchmark.plan import Run
from sensitivenets.benchmark.processes import Limits, run_all
from sensitivenets.benchmark.record import RunRecord, load_records, save_record
from sensitivenets.engines import Engine


@dataclass(frozen=True)
class OneRun:
    """Does one run as `run_all` does it, where it is called; its record is handed back.

    Machines need share no folder: the data are sent with it, and written where the run is.

    Attributes
    ----------
    inputs : Inputs
        The data.
    settings : ProtocolSettings
        How to measure.
    context : str
        Identifies data and settings.
    seconds : float or None
        Wall time of the run; None is no limit.
    """

    inputs: Inputs
    settings: ProtocolSettings
    context: str
    seconds: float | None = None

    def __call__(self, run: Run) -> RunRecord:
        """Do the run."""
        with tempfile.TemporaryDirectory(prefix="sensitivenets.") as name:
            folder, limits = Path(name), Limits(1, self.seconds)
            run_all(
                self.inputs,
                [run],
                self.settings,
                self.context,
                folder,
                limits=limits,
                finished=lambda _: None,
            )
            (record,) = load_records(folder)
        return record


def run_all_on(
    engine: Engine,
    one_run: OneRun,
    runs: Sequence[Run],
    records: Path,
    *,
    finished: Callable[[Run], None],
) -> None:
    """Do runs on an engine; each leaves a record as soon as it is done, whatever becomes of it.

    Parameters
    ----------
    engine : Engine
        Who does them, and how many at a time.
    one_run : OneRun
        How.
    runs : sequence of Run
        In the order to start.
    records : Path
        Folder on this machine to write records to.
    finished : callable
        Told of each run that ended.
    """
    # One that is slow must not keep what is done after it from being written down.
    for record in engine.map(one_run, runs, in_order=False):
        save_record(record, records)
        finished(record.run)
