"""Runs in real processes: they are slow to start, so few are started."""

import dataclasses
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from sensitivenets.benchmark import processes, worker
from sensitivenets.benchmark.measure import ProtocolSettings, run_once
from sensitivenets.benchmark.plan import Run
from sensitivenets.benchmark.processes import Limits
from sensitivenets.benchmark.runs import RUNS, benchmark
from sensitivenets.embeddings import write_table
from sensitivenets.engines import InProcess

NONE, LEACE = Run("none", {}, 0), Run("leace", {}, 0)


@pytest.fixture
def go(inputs, tmp_path):
    def run(runs, **options):
        limits = Limits(options.pop("n_jobs", 2), options.pop("seconds", None))
        return benchmark(
            inputs, runs, tmp_path / "out", settings=ProtocolSettings(), limits=limits, **options
        )

    return run


def timeless(record):
    costs = {"fit_seconds": 0, "transform_rows_per_second": 0, "peak_memory": 0}
    return dataclasses.replace(record.figures, **costs)


def test_a_run_in_a_process_is_a_run_here_and_is_done_once(go, inputs, tmp_path):
    first = go([NONE, LEACE])
    here = [run_once(inputs, run, ProtocolSettings(), "c") for run in (NONE, LEACE)]
    assert [timeless(r) for r in first.records] == [timeless(r) for r in here]
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "out" / RUNS).iterdir()}
    assert len(written) == 2
    told = []
    again = go([LEACE], progress=lambda *step: told.append(step))
    assert {path: path.stat().st_mtime_ns for path in written} == written
    # The one asked for, then what is there beside.
    assert [r.method for r in again.records] == ["leace", "none"]
    assert (again.n_taken_up, told) == (1, [(1, 1, "")])


def test_runs_that_fail_or_die_are_recorded_and_the_rest_goes_on(go, own_methods):
    names = [f"{own_methods}:{name}" for name in ("Raises", "Dies", "Leaves")]
    found = go([*(Run(name, {}, 0) for name in names), NONE])
    errors = [record.error for record in found.records]
    assert errors[0] == "RuntimeError: cannot be learned"
    assert errors[1].startswith("its process was ended by SIGKILL; out of memory, perhaps")
    assert errors[2] == "its process ended with 7: it said nothing"
    assert errors[3] is None


def test_a_run_that_takes_too_long_is_ended_and_failures_are_run_again_when_asked(
    go, own_methods, tmp_path
):
    (tmp_path / "wait").touch()
    runs = [Run(f"{own_methods}:Waits", {}, 0)]
    (record,) = go(runs, seconds=1.5).records
    assert record.error == "took longer than the 1.5 seconds of the time limit"
    (tmp_path / "wait").unlink()
    assert go(runs).records == (record,)
    # On an engine: what was one home's record of a failure is another's to do again.
    (retried,) = go(runs, retry=True, engine=InProcess(1)).records
    assert retried.error is None
    assert go(runs).records == (retried,)


@pytest.fixture
def command(table, own_methods, tmp_path):
    """A benchmark whose second run waits."""
    write_table(table, tmp_path / "t.parquet")
    (tmp_path / "wait").touch()
    out = tmp_path / "out"
    return [
        *(sys.executable, "-c", "import sys; from sensitivenets.cli import main; sys.exit(main())"),
        *("benchmark", str(tmp_path / "t.parquet"), "--identity", "subject", "--n-jobs", "1"),
        *("--attribute", "gender", "--where", "split=fit", "--out", str(out)),
        *("--train", "split=attack_train", "--test", "split=attack_test"),
        *("--methods", f"none,{own_methods}:Waits"),
    ]


@pytest.fixture
def end(command, tmp_path, wait_until, patience):
    """Start it, end it in its second run, wait until that is gone too; return its exit code."""
    seen = tmp_path / "wait.seen"

    def end_with(how):
        started = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        wait_until(lambda: seen.exists() and seen.read_text(), "the second run")
        started.send_signal(how)
        output, _ = started.communicate(timeout=patience)
        assert output == ""
        wait_until(lambda: not _is_alive(int(seen.read_text())), "the end of the second run")
        return started.returncode

    return end_with


@pytest.mark.slow
def test_a_killed_benchmark_leaves_nothing_but_records_and_is_taken_up_again(
    command, end, tmp_path, monkeypatch, wait_until
):
    out, seen, working = tmp_path / "out", tmp_path / "wait.seen", tmp_path / "working"
    working.mkdir()
    monkeypatch.setenv("TMPDIR", str(working))
    assert end(signal.SIGKILL) == -signal.SIGKILL
    wait_until(lambda: not list(working.iterdir()))
    (record,) = (out / RUNS).iterdir()
    written = record.stat().st_mtime_ns
    seen.unlink()
    assert end(signal.SIGTERM) == 128 + signal.SIGTERM
    assert {path.name for path in out.iterdir()} == {RUNS}
    assert (list((out / RUNS).iterdir()), list(working.iterdir())) == ([record], [])
    (tmp_path / "wait").unlink()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1 of 2 runs were finished before" in done.stderr
    assert f"open: {out / 'index.html'}" in done.stdout
    assert record.stat().st_mtime_ns == written
    assert len(list((out / RUNS).iterdir())) == 2


def _is_alive(process):
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_a_run_has_as_many_threads_as_asked_for(monkeypatch, tmp_path):
    started = []
    monkeypatch.setattr(
        processes.subprocess, "Popen", lambda command, *, env, **how: started.append(env)
    )
    processes._start(Run("none", {}, 0), tmp_path / "x.json", 3, tmp_path / "inputs.npz")
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    assert [started[0][name] for name in names] == ["3"] * 4


def sleeping(seconds, tmp_path):
    # Far longer than any test: it is ended, and nobody waits for it.
    command = [sys.executable, "-c", f"import time; time.sleep({seconds})"]
    return processes._Running(NONE, subprocess.Popen(command), time.monotonic(), tmp_path / "said")


def test_what_still_runs_is_ended_when_the_benchmark_is(tmp_path):
    one = sleeping(3600, tmp_path)

    def interrupted():
        with processes._processes() as running:
            running.append(one)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert one.process.poll() == -signal.SIGKILL


def test_a_process_that_ends_well_without_a_record_has_failed(tmp_path):
    one = sleeping(0, tmp_path)
    one.output.write_text("")
    one.process.wait()
    ended = processes._ended(one, Limits(), tmp_path / "record.json")
    assert ended == "its process ended with 0: it said nothing"


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_more_run_at_a_time_than_asked_for(inputs, n_jobs, monkeypatch, tmp_path):
    alive, most = set(), []

    def start(run, path, n_threads, data):
        alive.add(run.seed)
        most.append(len(alive))
        return SimpleNamespace(run=run)

    def ended(one, limits, record):
        alive.discard(one.run.seed)
        return ""

    monkeypatch.setattr(processes, "_start", start)
    monkeypatch.setattr(processes, "_ended", ended)
    monkeypatch.setattr(processes, "_processes", lambda: nullcontext([]))
    monkeypatch.setattr(processes, "_LOOK_EVERY", 0)
    runs, done = [Run("none", {}, seed) for seed in range(5)], []
    processes.run_all(
        inputs, runs, ProtocolSettings(), "c", tmp_path, limits=Limits(n_jobs), finished=done.append
    )
    assert max(most) == n_jobs
    assert sorted(run.seed for run in done) == list(range(5))


def test_a_worker_whose_parent_is_gone_ends_and_leaves_no_data(monkeypatch, tmp_path):
    folder, ended = tmp_path / "working", []
    folder.mkdir()
    (folder / "inputs.npz").write_bytes(b"embeddings")
    monkeypatch.setattr(worker.os, "getppid", lambda: 1)
    monkeypatch.setattr(worker.os, "_exit", ended.append)
    worker._end_with(2, folder)
    assert ended == [1]
    assert not folder.exists()
