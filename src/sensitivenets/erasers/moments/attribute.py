"""Moments of embeddings and attributes, batch by batch, with classes that may appear later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.embeddings.labels import UNLABELLED
from sensitivenets.erasers.moments.group import Int64
from sensitivenets.erasers.moments.pooled import GroupMeans, PooledMoments, PooledMomentStream
from sensitivenets.errors import InputError


@dataclass(frozen=True)
class AttributeMoments:
    """What linear erasers are computed from.

    Attributes
    ----------
    rows : PooledMoments
        Of the rows with a label of at least one attribute.
    attributes : dict of str to GroupMeans
        The class means of each attribute, over all its labelled rows.
    target : GroupMeans or None
        The class means of what is to be kept.
    """

    rows: PooledMoments
    attributes: dict[str, GroupMeans]
    target: GroupMeans | None


class ClassBook:
    """Gives the classes of one column their codes, in the order of their appearance.

    Parameters
    ----------
    name : str
        Name of the column.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.classes: list[str] = []

    def codes(self, labels: Labels) -> Int64:
        """Return the codes (n,) of a batch; -1 where it is unlabelled."""
        # The last entry is for code -1.
        table = np.append(self.codes_of(labels.classes), UNLABELLED)
        return np.asarray(table[labels.codes], dtype=np.int64)

    def codes_of(self, classes: Sequence[str]) -> Int64:
        """Return the codes of classes, and take in those that are new."""
        known = set(self.classes)
        self.classes += [name for name in classes if name not in known]
        position = {name: code for code, name in enumerate(self.classes)}
        return np.array([position[name] for name in classes], dtype=np.int64)


class AttributeStream:
    """Adds up `AttributeMoments`.

    Parameters
    ----------
    attributes : sequence of str
        Their names; the same in every batch. With none, only rows are counted.
    has_target : bool
        Whether batches come with labels to keep.
    covariance_rows, expected_rows, random_state
        See `PooledMomentStream`.
    """

    def __init__(
        self,
        attributes: Sequence[str],
        *,
        has_target: bool,
        covariance_rows: int | None,
        expected_rows: int = 0,
        random_state: int | Sequence[int] = 0,
    ) -> None:
        self.books = {name: ClassBook(name) for name in attributes}
        self.target_book = ClassBook("y") if has_target else None
        self._rows = PooledMomentStream(
            len(attributes),
            covariance_rows=covariance_rows,
            expected_rows=expected_rows,
            random_state=random_state,
        )
        self._target = PooledMomentStream(1, covariance_rows=0)

    def update(self, X: FloatArray, attributes: Mapping[str, Labels]) -> None:
        """Add rows with their attributes.

        Raises
        ------
        InputError
            If the attributes have other names than before.
        """
        if set(attributes) != set(self.books):
            raise InputError(
                f"expected the attributes {sorted(self.books)} as in the rows before, found "
                f"{sorted(attributes)}"
            )
        if attributes:
            codes = [book.codes(attributes[name]) for name, book in self.books.items()]
            self._rows.update(X, codes)

    def update_target(self, X: FloatArray, target: Labels) -> None:
        """Add rows with the labels to keep."""
        if self.target_book is not None:
            self._target.update(X, [self.target_book.codes(target)])

    def merge(self, other: AttributeStream) -> None:
        """Add the rows of another stream of the same attributes; it is not changed."""
        positions = [book.codes_of(other.books[name].classes) for name, book in self.books.items()]
        self._rows.merge(other._rows, positions)
        if self.target_book is not None and other.target_book is not None:
            self._target.merge(
                other._target, [self.target_book.codes_of(other.target_book.classes)]
            )

    def removed(self) -> dict[str, tuple[str, ...]]:
        """Return the classes of each attribute."""
        return {name: tuple(sorted(book.classes)) for name, book in self.books.items()}

    def _all_books(self) -> list[ClassBook]:
        return [*self.books.values(), *([self.target_book] if self.target_book else [])]

    def has_two_classes(self) -> bool:
        """Whether every column has shown two classes, so that there is something to compute."""
        return all(len(book.classes) > 1 for book in self._all_books())

    def moments(self) -> AttributeMoments:
        """Return the moments of all rows so far.

        Raises
        ------
        InputError
            If an attribute, or the target, has fewer than two classes yet.
        """
        for book in self._all_books():
            if len(book.classes) < 2:
                raise InputError(
                    f"column {book.name!r}: expected at least two classes, found "
                    f"{', '.join(map(repr, book.classes)) or 'no labelled row'}; give rows of "
                    f"another class or leave {book.name!r} out"
                )
        rows = self._rows.moments()
        return AttributeMoments(
            rows=rows,
            attributes=dict(zip(self.books, rows.groupings, strict=True)),
            target=self._target.moments().groupings[0] if self.target_book else None,
        )
