"""What estimators whose maps begin with routes have beside `fit`: they adapt to other people."""

from __future__ import annotations

import warnings
from copy import copy
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_is_fitted, validate_data

from sensitivenets.maps.base import Model


class Adaptable:
    """Base of the estimators that `adapt` to a table without labels."""

    model_: Model

    def adapt(self, X: npt.ArrayLike, y: Any = None) -> Self:
        """Return this estimator for other people: the groups found among their rows, unlabelled.

        Parameters
        ----------
        X : array-like of shape (n, d)
            All rows of the table to be protected, in any form that `fit` reads. No label of an
            attribute is needed, or looked at.
        y : array-like of shape (n,), optional
            Identity of each row: rows of a subject share a route while moments are taken. Null is
            a row of nobody known.

        Returns
        -------
        Self
            A fitted copy for this table and for people who come later; this estimator stays as it
            is. Its ``model_`` says what it came from, and its curve how it was adapted: rows of
            each predicted group, the forecast for new people, doubts. Where subjects are known,
            `transport.place.transform_table` maps the table with the routes that they share.

        Raises
        ------
        InputError
            If this estimator was adapted already, `X` is of another network or scale, or `y` does
            not fit.

        Warns
        -----
        DataWarning
            For each reason not to trust the routes.

        Examples
        --------
        >>> from sensitivenets.datasets.synthetic import synthetic_diveface
        >>> from sensitivenets.erasers.transport.routed_transport import RoutedTransport
        >>> faces = synthetic_diveface(n_subjects=900, images_per_subject=3, dim=32, random_state=0)
        >>> known, mine = faces.where("split", "fit"), faces.where("split", "attack_train")
        >>> eraser = RoutedTransport(n_rounds=1, random_state=0)
        >>> eraser = eraser.fit(known.vectors, sensitive={"gender": known.column("gender")})
        >>> eraser.adapt(mine.vectors, mine.column("subject")).transform(mine.vectors).shape
        (900, 32)
        """
        from sensitivenets.embeddings import as_plain
        from sensitivenets.embeddings.fingerprint import fingerprint
        from sensitivenets.embeddings.labels import row_index
        from sensitivenets.erasers.base import encode_target
        from sensitivenets.erasers.transport.adapt import adapt, adapted_model
        from sensitivenets.errors import DataWarning

        check_is_fitted(self, "model_")
        rows = validate_data(self, as_plain(X, "X"), dtype=np.float32, reset=False)
        subjects = encode_target(y, len(rows), row_index(X))
        found = adapt(self.model_, rows, subjects=None if subjects is None else subjects.codes)
        for doubt in found.doubts:
            warnings.warn(f"X: {doubt}", DataWarning, stacklevel=2)
        derived = copy(self)
        derived.model_ = adapted_model(self.model_, found, fingerprint(rows))
        return derived
