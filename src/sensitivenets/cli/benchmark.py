"""``sensitivenets benchmark``: every method against the same attackers."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.benchmark_options import DataOptions, RunOptions
from sensitivenets.cli.output import percent, print_json, print_line, print_notice, print_table

if TYPE_CHECKING:
    from sensitivenets.benchmark.leaderboard import Leaderboard
    from sensitivenets.intervals import Estimate

_PAGE_NEEDS = ("jinja2", "matplotlib")


def benchmark(table: Path, /, *, data: DataOptions, runs: RunOptions, json: bool = False) -> None:
    """Fit many methods on the same rows, attack and verify what each makes, and rank them.

    Each run leaves a record when it is finished; the same command goes on with what is missing.

    Parameters
    ----------
    table
        Embeddings to learn from: .parquet, .npz, or .npy beside .csv.
    data
        What is removed, attacked and verified.
    runs
        Which methods, and where the leaderboard goes.
    json
        Write the leaderboard as JSON.
    """
    from sensitivenets.benchmark.joining import join
    from sensitivenets.benchmark.leaderboard import save_leaderboard
    from sensitivenets.benchmark.measure import ProtocolSettings
    from sensitivenets.benchmark.plan import ALL, need_a_task, plan_runs, read_grid
    from sensitivenets.benchmark.processes import Limits
    from sensitivenets.benchmark.results_table import write_results
    from sensitivenets.benchmark.runs import benchmark as run_benchmark
    from sensitivenets.cli.benchmark_inputs import read_inputs
    from sensitivenets.progress import progress_bar
    from sensitivenets.serialisation import encode

    grid = None if runs.grid is None else read_grid(runs.grid)
    has_task = data.task is not None
    planned = plan_runs(runs.method_names, runs.seed, grid, has_task=has_task)
    inputs = read_inputs(table, data, runs.random_state)
    if ALL in runs.method_names and not has_task:
        print_notice(f"left out: {', '.join(need_a_task())}: keeps a label, which --task names")
    with progress_bar("benchmark") as progress:
        found = run_benchmark(
            inputs,
            planned,
            runs.out,
            settings=ProtocolSettings(not runs.quick, runs.random_state, runs.n_threads),
            limits=Limits(runs.work.processes, runs.time_limit),
            engine=runs.work.make(),
            retry=runs.retry,
            progress=progress,
        )
    if found.n_taken_up:
        print_notice(f"{found.n_taken_up} of {len(planned)} runs were finished before")
    if found.n_foreign:
        print_notice(f"{found.n_foreign} records of other data, settings or versions: left out")
    leaderboard = join(replace(found, facts={**found.facts, "about": data.about}))
    path = runs.out / "leaderboard.json"
    write_results(found.records, runs.out / "results.parquet")
    save_leaderboard(leaderboard, path)
    path = _page(path) if leaderboard.entries else path
    if json:
        print_json(encode(leaderboard))
        return
    _print_leaderboard(leaderboard)
    print_line(f"open: {path}")


def _page(leaderboard: Path) -> Path:
    """Draw the page where it can be drawn; return what to open."""
    missing = [name for name in _PAGE_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        needs = " and ".join(missing)
        print_notice(f"no index.html: it needs {needs}; pip install 'sensitivenets[report]'")
        return leaderboard
    from sensitivenets.benchmark.page import write_page

    return write_page(leaderboard)


def _print_leaderboard(leaderboard: Leaderboard) -> None:
    utilities = leaderboard.utilities[:1]
    rows = [
        [
            entry.label,
            *(_with_interval(score.leakage) for score in entry.attributes),
            *("" if u.value is None else _with_interval(u.value) for u in entry.utilities[:1]),
            f"{entry.fit_seconds:.1f}",
        ]
        for entry in leaderboard.entries
    ]
    print_table(["", *leaderboard.attributes, *utilities, "fit, s"], rows)
    if leaderboard.entries:
        print_line("Attributes: balanced accuracy of the strongest attacker; lower is better.")
    for failure in leaderboard.failures:
        print_line(f"failed: {failure.label}: {failure.error}")
    for reason in leaderboard.reasons:
        print_line(f"not to be trusted: {reason}")


def _with_interval(estimate: Estimate) -> str:
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{percent(estimate.value)} [{low:.1f}, {high:.1f}]"
