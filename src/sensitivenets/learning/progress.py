"""A progress bar on stderr for training: losses, rank, and what the detectors still read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sensitivenets.learning.training import EpochRecord


@contextmanager
def training_progress(
    n_layers: int, n_epochs: int, *, verbose: bool
) -> Iterator[Callable[[EpochRecord], None]]:
    """Show a bar with one step an epoch.

    Parameters
    ----------
    n_layers, n_epochs : int
        Layers, and epochs a layer.
    verbose : bool
        Show nothing if False.

    Yields
    ------
    callable
        Call it with each `EpochRecord`.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=6),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not verbose) as progress:
        bar = progress.add_task("Training", total=n_layers * n_epochs, state="")

        def show(record: EpochRecord) -> None:
            read = "".join(f" {name} {100 * a:.0f} %" for name, a in record.detectors.items())
            state = (
                f"L'0 {record.primary:.2f} Λ {record.regulariser:.2f} "
                f"rank {record.effective_rank:.0f}{read}"
            )
            layer = f"Training layer {record.layer}"
            progress.update(bar, advance=1, description=layer, state=state)

        yield show
