"""Passes over a table that is read and not held, on whatever engine there is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from sensitivenets.embeddings.arrays import FloatArray
from sensitivenets.embeddings.fingerprint import Fingerprint, StretchDigests
from sensitivenets.embeddings.rows import Stretch, stretches
from sensitivenets.embeddings.source import TableSource
from sensitivenets.embeddings.stretches import chunks_of
from sensitivenets.engines import Engine
from sensitivenets.errors import InputError
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
        # Whoever adds results up does so on one thread of BLAS, whatever engine made them.
        with threadpool_limits(1, user_api="blas"):
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


class IdentifiedRows:
    """Rows of a table that are identified in the first pass, so that it needs none of its own.

    Parameters
    ----------
    rows : SourceRows
        The table.
    n_features : int
        Features that a model expects.

    Attributes
    ----------
    fingerprint : Fingerprint
        Of the table; of no row before the first pass has ended.
    """

    def __init__(self, rows: SourceRows, n_features: int) -> None:
        self._rows, self._n_features = rows, n_features
        self.fingerprint = Fingerprint()

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return self._rows.n_rows

    def over(self, function: Callable[..., R], *arrays: Any) -> Iterator[R]:
        """See `SourceRows.over`.

        Raises
        ------
        InputError
            In the first pass, if rows have another number of features.
        """
        if self.fingerprint.rows:
            yield from self._rows.over(function, *arrays)
            return
        found = Fingerprint()
        hashed = _Hashed(self._rows.source.name, self._n_features, function)
        for result, digests in self._rows.over(hashed, *arrays):
            found = found.followed_by(digests)
            yield result
        self.fingerprint = found


@dataclass(frozen=True)
class _Hashed:
    """Hands a function the rows of a stretch, which it requires to fit the model and hashes."""

    name: str
    n_features: int
    function: Callable[..., Any]

    def __call__(
        self, chunks: Iterable[tuple[slice, FloatArray]], *arrays: Any
    ) -> tuple[Any, StretchDigests]:
        digests = StretchDigests()

        def read() -> Iterator[tuple[slice, FloatArray]]:
            nonlocal digests
            for where, X in chunks:
                self._require_features(X.shape[1])
                digests = digests.followed_by(X)
                yield where, X

        result = self.function(read(), *arrays)
        return result, digests

    def _require_features(self, found: int) -> None:
        if found != self.n_features:
            raise InputError(
                f"{self.name}: expected embeddings of {self.n_features} features as the model was "
                f"fitted on, found {found}; use the network that made the training embeddings"
            )
