"""Tables with an adversary's own rows under them, and the tasks that know these rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.audit.preparations import Preparations, prepare
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import FloatArray, Labels, canonical_values


@dataclass(frozen=True)
class Tables:
    """The audited tables, in the order of the prepared arrays: training rows, then test rows.

    Attributes
    ----------
    before : ndarray of shape (n, d)
        As they were.
    after : ndarray of shape (n, k)
        After the map.
    n_train : int
        Training rows.
    """

    before: FloatArray
    after: FloatArray
    n_train: int

    @classmethod
    def ordered(cls, before: FloatArray, after: FloatArray, split: Split) -> Tables:
        """Put the rows of a split into order."""
        order = np.concatenate([split.train, split.test])
        return cls(before[order], after[order], len(split.train))

    def with_rows(
        self, table: FloatArray, more: FloatArray, names: tuple[str, ...]
    ) -> Preparations:
        """Prepare a table of these rows with more rows under it, scaled by the training rows."""
        # A table is written rounded: rows straight from a map would differ from it by that alone.
        if np.array_equal(canonical_values(table), table):
            more = canonical_values(more)
        return prepare(np.vstack([table, more.astype(table.dtype)]), self.n_train, names=names)


@dataclass(frozen=True)
class LabelledRows:
    """Rows of an adversary's own, with labels by attribute."""

    vectors: FloatArray
    labels: Mapping[str, Labels]

    def __len__(self) -> int:
        return len(self.vectors)

    def codes(self, task: ClassTask) -> IntArray:
        """Codes of the classes of a task, shape (rows,); -1 where unlabelled or another class."""
        labels = self.labels.get(task.name)
        if labels is None:
            return np.full(len(self), -1, dtype=np.int64)
        named = {name: code for code, name in enumerate(task.classes)}
        code_of = np.array([*(named.get(name, -1) for name in labels.classes), -1])
        return np.asarray(code_of[labels.codes])


def with_labels(task: ClassTask, codes: IntArray) -> tuple[ClassTask, IntArray]:
    """Put rows under those of a task.

    Parameters
    ----------
    task : ClassTask
        Of the audited rows.
    codes : ndarray of shape (m,)
        Classes of the rows on top, -1 where unlabelled.

    Returns
    -------
    task : ClassTask
        The same, which knows them; nothing is trained on them yet.
    labelled : ndarray of int64
        Their numbers in the prepared arrays, of those that are labelled.
    """
    others = task.others
    if others is not None:
        others = np.concatenate([others, np.zeros(len(codes), dtype=np.int64)])
    labelled = len(task.y) + np.flatnonzero(codes >= 0)
    return replace(task, y=np.concatenate([task.y, codes]), others=others), labelled
