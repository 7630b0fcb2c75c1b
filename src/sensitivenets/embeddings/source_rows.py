"""Passes over a table that is read and not held, on whatever engine there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from sensitivenets.embeddings.rows import Stretch, stretches
from sensitivenets.embeddings.source import TableSource
from sensitivenets.embeddings.stretches import chunks_of
from sensitivenets.engines import Engine
from sensitivenets.progress import Progress

R = TypeVar("R")


@dataclass(frozen=True)
class SourceRows:
    """The rows of a table, gone through a stretch at a time.

    Attributes
    ----------
    source : TableSource
        The table.
    engine : Engine
        Who goes through a stretch.
    progress : Progress or None
        Told of the rows that are done.
    """

    source: TableSource
    engine: Engine
    progress: Progress | None = None

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return self.source.n_rows

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """Yield what a function makes of each stretch, in the order of the rows.

        Parameters
        ----------
        function : callable
            Of the chunks of a stretch, pairs of a slice and rows, all of which it takes, and of
            its rows of each array. It may be sent to another machine.
        *arrays : ndarray of shape (n_rows, ...)
            What else is known of each row.
        """
        parts = (
            (stretch, tuple(array[stretch.start : stretch.stop] for array in arrays))
            for stretch in stretches(self.n_rows)
        )
        return self._told(self.engine.map(_OfChunks(self.source, function), parts))

    def over_stretches(self, function: Callable[[Stretch], R]) -> Iterator[R]:
        """Yield what a function, which reads for itself, makes of each stretch."""
        return self._told(self.engine.map(function, stretches(self.n_rows)))

    def _told(self, found: Iterator[R]) -> Iterator[R]:
        for stretch, result in zip(stretches(self.n_rows), found, strict=True):
            if self.progress is not None:
                self.progress(stretch.stop, self.n_rows, "rows")
            yield result


@dataclass(frozen=True)
class _OfChunks:
    """Reads a stretch, and hands its chunks to a function."""

    source: TableSource
    function: Callable[..., Any]

    def __call__(self, part: tuple[Stretch, tuple[Any, ...]]) -> Any:
        stretch, arrays = part
        read = chunks_of(self.source, stretch)
        chunks = ((slice(b.start, b.start + len(b)), b.vectors) for b in read)
        return self.function(chunks, *arrays)
