"""Pairs of rows to compare: which two, whether they show one subject, and in which fold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sensitivenets.embeddings import EmbeddingTable
from sensitivenets.embeddings.parquet_files import read_parquet
from sensitivenets.errors import InputError
from sensitivenets.verification.lfw_files import read_lfw_lines

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Pairs:
    """Comparisons to make between the rows of one table.

    Attributes
    ----------
    left, right : ndarray of shape (n,), int64
        Row numbers, counted from 0.
    same : ndarray of shape (n,), bool
        True for a genuine pair (one subject), False for an impostor pair.
    fold : ndarray of shape (n,), int64
        The part of a cross-validation that the pair belongs to; all 0 where there is one part.
    source : str
        Where the pairs came from, for messages.
    """

    left: IntArray
    right: IntArray
    same: BoolArray
    fold: IntArray
    source: str = "pairs"

    def __post_init__(self) -> None:
        lengths = {n: len(getattr(self, n)) for n in ("left", "right", "same", "fold")}
        if len(set(lengths.values())) != 1:
            raise InputError(f"{self.source}: expected columns of one length, found {lengths}")
        if not len(self):
            raise InputError(f"{self.source}: expected at least one pair, found none")
        itself = np.flatnonzero(self.left == self.right)
        if len(itself):
            raise InputError(
                f"{self.source}, pair {itself[0]}: compares row {self.left[itself[0]]} with "
                f"itself ({len(itself)} such pairs); its score says nothing, drop it"
            )

    def __len__(self) -> int:
        return len(self.left)

    @property
    def folds(self) -> IntArray:
        """The distinct folds, ascending."""
        return np.unique(self.fold)

    def take(self, keep: npt.NDArray[Any]) -> Pairs:
        """Keep the given pairs (indices or a mask)."""
        return Pairs(
            self.left[keep], self.right[keep], self.same[keep], self.fold[keep], self.source
        )

    def require_both_kinds(self) -> Pairs:
        """Return self if there are genuine and impostor pairs.

        Raises
        ------
        InputError
            If one kind is missing.
        """
        n_genuine = int(np.count_nonzero(self.same))
        if n_genuine in {0, len(self)}:
            raise InputError(
                f"{self.source}: expected genuine and impostor pairs, found {n_genuine} genuine "
                f"and {len(self) - n_genuine} impostor; rates of both errors need both kinds"
            )
        return self

    def require_rows(self, n_rows: int, table: str = "the table") -> Pairs:
        """Return self if every pair names rows of a table of `n_rows` rows.

        Raises
        ------
        InputError
            If a row number is negative or too large.
        """
        outside = (np.minimum(self.left, self.right) < 0) | (
            np.maximum(self.left, self.right) >= n_rows
        )
        if outside.any():
            pair = int(np.flatnonzero(outside)[0])
            raise InputError(
                f"{self.source}, pair {pair}: rows {self.left[pair]} and {self.right[pair]}, but "
                f"{table} has rows 0 to {n_rows - 1} ({np.count_nonzero(outside)} such pairs); "
                "use the table that the pairs were made for"
            )
        return self


def make_pairs(left: Any, right: Any, same: Any, fold: Any = None, source: str = "pairs") -> Pairs:
    """Build `Pairs` from array-likes, checked.

    Parameters
    ----------
    left, right : array-like of shape (n,)
        Row numbers, counted from 0.
    same : array-like of shape (n,), bool or 0/1
        Whether the two rows show one subject.
    fold : array-like of shape (n,), optional
        Folds; one fold unless given.
    source : str
        For messages.

    Returns
    -------
    Pairs

    Raises
    ------
    InputError
        If a column is not flat or not of whole numbers, or `same` is neither bool nor 0/1.

    Examples
    --------
    >>> len(make_pairs([0, 0], [1, 2], [True, False]))
    2
    """
    fold = np.zeros(len(left), dtype=np.int64) if fold is None else fold
    truth = _whole_numbers(same, "same", source)
    if not np.isin(truth, (0, 1)).all():
        raise InputError(
            f"{source}: column 'same': expected true/false or 0/1, found "
            f"{sorted(set(truth.tolist()))[:5]}"
        )
    return Pairs(
        _whole_numbers(left, "left", source),
        _whole_numbers(right, "right", source),
        truth.astype(np.bool_),
        _whole_numbers(fold, "fold", source),
        source,
    )


def _whole_numbers(values: Any, name: str, source: str) -> IntArray:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iub"):
        raise InputError(
            f"{source}: column {name!r}: expected one flat column of whole numbers, found "
            f"{array.dtype} of shape {array.shape}"
        )
    return array.astype(np.int64)


def read_pairs(
    path: str | Path,
    table: EmbeddingTable | None = None,
    *,
    protocol: str | None = None,
    subject: str = "subject",
    image: str = "image",
) -> Pairs:
    """Read the pairs to compare from a file.

    Parameters
    ----------
    path : str or Path
        ``.parquet``: columns ``left``, ``right`` (row numbers), ``same``, and, where they are
        there, ``fold`` and ``protocol``.
        ``.txt``: a file of LFW (``pairs.txt``, ``pairsDevTrain.txt``, ``pairsDevTest.txt``).
    table : EmbeddingTable, optional
        For ``.txt`` only: the table in which names and image numbers are looked up.
    protocol : str, optional
        For ``.parquet`` only: keep the pairs of this protocol, such as ``"view2"``.
    subject, image : str
        For ``.txt`` only: the columns of `table` with the person's name and image number.

    Returns
    -------
    Pairs

    Raises
    ------
    InputError
        If the file is missing, damaged, of another kind, lacks a column, or holds several
        protocols and none was chosen.
    """
    path = Path(path)
    if path.suffix not in {".parquet", ".txt"}:
        raise InputError(f"{path}: expected pairs as .parquet or .txt, found {path.suffix!r}")
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    if path.suffix == ".parquet":
        return _read_parquet(path, protocol)
    if table is None:
        raise InputError(
            f"{path}: expected the table whose rows it names, found none; give the table too"
        )
    left, right, same, fold = read_lfw_lines(path, table, subject, image)
    return make_pairs(left, right, same, fold, str(path))


def _read_parquet(path: Path, protocol: str | None) -> Pairs:
    columns = read_parquet(path)
    for name in ("left", "right", "same"):
        if name not in columns.column_names:
            present = ", ".join(map(repr, columns.column_names)) or "none"
            raise InputError(f"{path}: no column {name!r}; pairs need it, found {present}")
    columns = _of_protocol(columns, protocol, path)
    for name in {"left", "right", "same", "fold"} & set(columns.column_names):
        if columns[name].null_count:
            raise InputError(f"{path}: column {name!r}: {columns[name].null_count} null values")
    fold = columns["fold"].to_numpy() if "fold" in columns.column_names else None
    left, right, same = (columns[name].to_numpy() for name in ("left", "right", "same"))
    return make_pairs(left, right, same, fold, str(path))


def _of_protocol(columns: pa.Table, protocol: str | None, path: Path) -> pa.Table:
    if "protocol" not in columns.column_names:
        if protocol is not None:
            raise InputError(f"{path}: no column 'protocol', so no protocol {protocol!r} to choose")
        return columns
    present = sorted(str(p) for p in columns["protocol"].unique().to_pylist())
    if protocol is None and len(present) > 1:
        raise InputError(
            f"{path}: holds the protocols {', '.join(map(repr, present))}; choose one of them"
        )
    if protocol is None:
        return columns
    if protocol not in present:
        raise InputError(
            f"{path}: no pairs of protocol {protocol!r}; it has {', '.join(map(repr, present))}"
        )
    return columns.filter(pc.equal(columns["protocol"].cast(pa.string()), protocol))
