"""Erasers that need only moments: fitted at once, or batch by batch with `partial_fit`."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from sensitivenets.embeddings import FloatArray, Labels, as_plain
from sensitivenets.embeddings.fingerprint import Fingerprint, Hashing, other_cores
from sensitivenets.embeddings.labels import encode_columns, row_index
from sensitivenets.erasers.base import (
    Eraser,
    FitData,
    Learned,
    encode_target,
    parameterised,
)
from sensitivenets.erasers.moments.attribute import AttributeMoments, AttributeStream
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import LowRankEdit
from sensitivenets.maps.base import Model


@parameterised
class StreamingEraser(Eraser):
    """Base of the erasers in closed form; a method implements `_erase`."""

    _keeps_target: ClassVar[bool] = False

    def partial_fit(self, X: npt.ArrayLike, y: Any = None, *, sensitive: Any = None) -> Self:
        """Add a batch of rows; the map is that of all rows since the first call.

        Memory is O(d^2), whatever the number of rows. A class may first appear in a later batch;
        until each attribute has shown two, the estimator counts as not fitted. `fit` starts anew.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Embeddings.
        y : array-like of shape (n,), optional
            What is to be kept, for a method that keeps a target.
        sensitive : mapping, data frame or array-like
            Attributes to remove, by name, for the rows of `X`; the same names in every batch.

        Returns
        -------
        Self
            Itself.

        Raises
        ------
        InputError
            If a parameter or the batch cannot be used, or there is no attribute to remove.
        """
        first = getattr(self, "_stream", None) is None
        index = row_index(X)
        vectors: FloatArray = validate_data(self, as_plain(X, "X"), dtype=np.float32, reset=first)
        if sensitive is None:
            self._go_without_attributes()
        attributes = encode_columns(sensitive, len(vectors), index)
        target = self._target(y, len(vectors), index)
        if first:
            self._check()
            self._stream: AttributeStream | None = self.new_stream(
                list(attributes), vectors.shape[1]
            )
            self._fingerprint = Fingerprint()
        assert self._stream is not None
        with other_cores() as pool:
            hashing = Hashing(vectors, pool, self._fingerprint)
            self._stream.update(vectors, attributes)
            if target is not None:
                self._stream.update_target(vectors, target)
            self._fingerprint = hashing.result()
        self._model: Model | None = None
        return self

    def _target(self, y: Any, n_rows: int, index: Any) -> Labels | None:
        if not self._keeps_target:
            return None
        if y is None:
            raise InputError(
                f"requires y to be passed, but the target y is None: {type(self).__name__} keeps "
                "the class of each row"
            )
        return encode_target(y, n_rows, index)

    def new_stream(
        self,
        attributes: Sequence[str],
        n_features: int,
        expected_rows: int = 0,
        seed: int | Sequence[int] | None = None,
    ) -> AttributeStream:
        """Return an empty stream of the moments that this method needs.

        Parameters
        ----------
        attributes : sequence of str
            Attributes to remove.
        n_features : int
            d.
        expected_rows : int, default=0
            Rows there will be, if known.
        seed : int or sequence of int, optional
            Decides what is sampled; from `random_state` unless given.
        """
        if seed is None:
            seed = self.draw_seed()
        return AttributeStream(
            attributes,
            has_target=self._keeps_target,
            covariance_rows=self._covariance_rows(n_features),
            expected_rows=expected_rows,
            random_state=seed,
        )

    def draw_seed(self) -> int:
        """Draw what decides everything random of one fit."""
        return int(check_random_state(self.random_state).randint(2**31))

    def fit_moments(self, stream: AttributeStream, fingerprint: Fingerprint) -> Self:
        """Learn from moments that were added up elsewhere, such as by many workers.

        Parameters
        ----------
        stream : AttributeStream
            Of all rows (see `new_stream`).
        fingerprint : Fingerprint
            Of all rows.

        Returns
        -------
        Self
            Itself.
        """
        self._check()
        self.n_features_in_ = fingerprint.features
        self._stream, self._fingerprint, self._model = stream, fingerprint, None
        return self

    def _learn(self, data: FitData) -> Learned:
        self._check()
        target = data.require_target(type(self).__name__) if self._keeps_target else None
        n_rows, n_features = data.X_sensitive.shape
        stream = self.new_stream(list(data.attributes), n_features, n_rows, data.seed)
        stream.update(data.X_sensitive, data.attributes)
        if target is not None:
            stream.update_target(data.X, target)
        return self._erase(stream.moments())

    # The map is computed when it is asked for, not with each batch.
    @property
    def model_(self) -> Model:
        """The map of all rows so far, with its record."""
        if getattr(self, "_model", None) is None:
            stream = getattr(self, "_stream", None)
            if stream is None:
                raise AttributeError(f"this {type(self).__name__} is not fitted yet")
            self._model = self._finished(stream)
        assert self._model is not None
        return self._model

    @model_.setter
    def model_(self, model: Model) -> None:
        self._model, self._stream = model, None

    def _finished(self, stream: AttributeStream) -> Model:
        fingerprint = {"primary": self._fingerprint.to_record()}
        return self._record(self._erase(stream.moments()), stream.removed(), fingerprint)

    def __sklearn_is_fitted__(self) -> bool:
        if getattr(self, "_model", None) is not None:
            return True
        stream = getattr(self, "_stream", None)
        return stream is not None and stream.has_two_classes()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._keeps_target
        return tags

    def _check(self) -> None:
        """Refuse parameters that cannot be used."""

    def _covariance_rows(self, n_features: int) -> int | None:
        """Rows to take the covariance from: None for all, 0 for a method that needs none."""
        del n_features
        return 0

    @abstractmethod
    def _erase(self, moments: AttributeMoments) -> Learned:
        """Compute the map."""


def low_rank_edit(
    read: npt.NDArray[np.float64], write: npt.NDArray[np.float64], mean: npt.NDArray[np.float64]
) -> LowRankEdit:
    """Make x -> x - ((x - mean) @ read) @ write of float64 arrays."""
    return LowRankEdit(
        np.ascontiguousarray(read, dtype=np.float32),
        (mean @ read).astype(np.float32),
        np.ascontiguousarray(write, dtype=np.float32),
    )
