"""Progress of an audit, told to whoever wants to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

#: Called with (steps done, steps in total, what was just done).
Progress = Callable[[int, int, str], None]


@dataclass
class Steps:
    """Counts steps and passes them on.

    Attributes
    ----------
    total : int
        Steps there will be.
    progress : Progress or None
        Told of each step, if given.
    done : int
        Steps done.
    """

    total: int
    progress: Progress | None = None
    done: int = field(default=0)

    def advance(self, what: str) -> None:
        """Count one step."""
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, max(self.total, self.done), what)

    def skip(self, n: int) -> None:
        """Count steps that were done before."""
        self.done += n


@contextmanager
def progress_bar(title: str = "audit", *, rate: bool = False) -> Iterator[Progress]:
    """Show a progress bar on standard error, gone when done.

    Parameters
    ----------
    title : str
        Put in front of the bar.
    rate : bool, default=False
        Also show steps a second and the time left: for steps that are all alike.

    Yields
    ------
    Progress
        To give to `audit` or `quick_audit`.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text("" if task.speed is None else f"{task.speed:.0f} a second, left")

    columns: tuple[ProgressColumn, ...] = (
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        *((Rate(), TimeRemainingColumn()) if rate else (TimeElapsedColumn(),)),
        TextColumn("{task.description}"),
    )
    console = Console(stderr=True)
    # Where nobody looks on, a bar that is gone would leave an empty line.
    bar = Bar(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = bar.add_task("", total=None)

    def show(done: int, total: int, what: str) -> None:
        # Not before there is something to show: an error in what was given then stands alone.
        bar.start()
        bar.update(task, completed=done, total=total, description=what)

    try:
        yield show
    finally:
        if bar.live.is_started:
            bar.stop()
