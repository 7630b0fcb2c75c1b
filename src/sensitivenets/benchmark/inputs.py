"""The data of a benchmark: what methods learn from, what is attacked, what is verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sensitivenets.audit import Split
from sensitivenets.benchmark.plan import digest
from sensitivenets.embeddings import FloatArray, Labels, check_vectors
from sensitivenets.embeddings.fingerprint import fingerprint
from sensitivenets.embeddings.rows import first_occurrences
from sensitivenets.errors import InputError
from sensitivenets.verification import Pairs

# A few duplicated images are in every real table.
_MOST_COPIES = 0.02


@dataclass(frozen=True)
class Fitting:
    """What a method learns from.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32
        D-P.
    target : Labels or None
        Identity of each row of `X`.
    attributes : dict of str to Labels
        The attributes to remove: of `X`, or of `X_sensitive` if that is given.
    X_sensitive : ndarray of shape (m, d), or None
        D-S.
    task : Labels or None
        A label of few classes of each row of `X`, for the methods that keep one and no identities.
    """

    X: FloatArray
    target: Labels | None
    attributes: dict[str, Labels]
    X_sensitive: FloatArray | None = None
    task: Labels | None = None


@dataclass(frozen=True)
class Attacking:
    """Whom the attackers learn from and whom they attack.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32
        Before any map.
    attributes : dict of str to Labels
        Of the rows of `X`.
    split : Split
        Training and test rows.
    """

    X: FloatArray
    attributes: dict[str, Labels]
    split: Split


@dataclass(frozen=True)
class Verifying:
    """On what verification is measured.

    Attributes
    ----------
    X : ndarray of shape (n, d), float32
        Before any map.
    subject : Labels or None
        Identity of each row; needed where there are no pairs: all pairs are compared then.
    pairs : dict of str to Pairs
        Pairs of rows of `X`, by the name of their protocol.
    """

    X: FloatArray
    subject: Labels | None = None
    pairs: dict[str, Pairs] = field(default_factory=dict)


@dataclass(frozen=True)
class Inputs:
    """All data of a benchmark, checked.

    Attributes
    ----------
    fitting : Fitting
        What methods learn from.
    attacking : Attacking
        Other rows, attacked after the map.
    verifying : Verifying
        Rows whose verification is measured after the map.
    """

    fitting: Fitting
    attacking: Attacking
    verifying: Verifying

    def __post_init__(self) -> None:
        n_features = self.fitting.X.shape[1]
        tables = {"the rows to fit on": self.fitting.X, "the rows to attack": self.attacking.X}
        tables["the rows to verify"] = self.verifying.X
        if self.fitting.X_sensitive is not None:
            tables["the detector rows"] = self.fitting.X_sensitive
        for name, table in tables.items():
            check_vectors(table, f"benchmark: {name}")
            if table.shape[1] != n_features:
                raise InputError(
                    f"benchmark: expected embeddings of {n_features} features in {name}, as in the "
                    f"rows to fit on, found {table.shape[1]}; embed all with one network"
                )
        if not self.attacking.attributes:
            raise InputError("benchmark: expected an attribute to remove and attack, found none")
        if self.verifying.subject is None and not self.verifying.pairs:
            raise InputError(
                "benchmark: nothing says what is kept, and leakage without utility says nothing; "
                "give pairs to verify, or the identity of the rows to attack"
            )
        task = self.fitting.task
        if task is not None and len(task.classes) > n_features:
            raise InputError(
                f"benchmark: expected a task of few classes, at most one for each of {n_features} "
                f"features, found {len(task.classes)} in {task.name}; identities are kept by the "
                "other methods"
            )
        self._refuse_copies()

    def _refuse_copies(self) -> None:
        """Refuse an attack on rows that methods have learned from."""
        learned = [self.fitting.X]
        if self.fitting.X_sensitive is not None:
            learned.append(self.fitting.X_sensitive)
        split = self.attacking.split
        attacked = self.attacking.X[np.concatenate([split.train, split.test])]
        n_learned = sum(map(len, learned))
        copied = float(
            np.mean(first_occurrences(np.vstack([*learned, attacked]))[n_learned:] < n_learned)
        )
        if copied > _MOST_COPIES:
            raise InputError(
                f"benchmark: {100 * copied:.0f} % of the rows to attack are among the rows to fit "
                "on; attack rows that no method has seen"
            )

    def facts(self) -> dict[str, Any]:
        """Describe the data: rows, subjects, attributes, fingerprints; JSON values."""
        fitting, attacking, verifying = self.fitting, self.attacking, self.verifying
        facts: dict[str, Any] = {
            "fit": fingerprint(fitting.X),
            "attributes": {name: list(a.classes) for name, a in attacking.attributes.items()},
            "attack": fingerprint(attacking.X)
            | {"train": len(attacking.split.train), "test": len(attacking.split.test)},
            "verification": fingerprint(verifying.X)
            | {"pairs": {name: len(pairs) for name, pairs in verifying.pairs.items()}},
        }
        if fitting.target is not None:
            facts["fit"]["classes"] = len(fitting.target.classes)
        if fitting.task is not None:
            facts["task"] = {fitting.task.name: list(fitting.task.classes)}
        if fitting.X_sensitive is not None:
            facts["detector"] = fingerprint(fitting.X_sensitive)
        return facts

    def digest(self) -> str:
        """Identify the data, labels, split and pairs."""
        labels: dict[str, Labels | None] = {
            "target": self.fitting.target,
            "task": self.fitting.task,
            "subject": self.verifying.subject,
            "groups": self.attacking.split.groups,
            **_named("fit", self.fitting.attributes),
            **_named("attack", self.attacking.attributes),
        }
        split = {"train": self.attacking.split.train, "test": self.attacking.split.test}
        arrays = {name: _sha(one.codes) for name, one in labels.items() if one is not None}
        arrays |= {name: _sha(rows) for name, rows in split.items()}
        for name, pairs in self.verifying.pairs.items():
            columns = (pairs.left, pairs.right, pairs.same, pairs.fold)
            arrays[f"pairs.{name}"] = digest([_sha(column) for column in columns])
        return digest({"facts": self.facts(), "arrays": arrays})


def _named(kind: str, attributes: Mapping[str, Labels]) -> dict[str, Labels]:
    return {f"{kind}.{name}": labels for name, labels in attributes.items()}


def _sha(column: np.ndarray[Any, Any]) -> str:
    return hashlib.sha256(np.ascontiguousarray(column, dtype=np.float64).data).hexdigest()
