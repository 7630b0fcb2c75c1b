"""The process of one run: ``python -m sensitivenets.benchmark.worker JOB``.

A process of its own for each run: what one fit allocates, caches or crashes is not another's.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sensitivenets.benchmark.input_files import load_inputs
from sensitivenets.benchmark.measure import ProtocolSettings, run_once
from sensitivenets.benchmark.plan import Run
from sensitivenets.benchmark.record import save_record

_LOOK_EVERY = 1.0


def work(job: dict[str, Any]) -> None:
    """Do one run and write its record.

    Parameters
    ----------
    job : dict
        ``run`` and ``settings`` as their fields, ``context``, the file ``inputs``, which is the
        standard input if it is None, and the folder ``records``.
    """
    run, settings = Run(**job["run"]), ProtocolSettings(**job["settings"])
    given = job["inputs"]
    inputs = load_inputs(sys.stdin.buffer if given is None else Path(given))
    record = run_once(inputs, run, settings, job["context"])
    save_record(record, Path(job["records"]))


def _end_with(parent: int, working: Path) -> None:
    """End this process when its parent is gone, killed perhaps: nobody waits for the record."""
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    # The parent would have removed the copy of the data; embeddings must not lie about.
    shutil.rmtree(working, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    given = Path(sys.argv[1])
    threading.Thread(target=_end_with, args=(os.getppid(), given.parent), daemon=True).start()
    work(json.loads(given.read_text(encoding="utf-8")))
