"""Where the figures come from: which tables, which model, what was measured apart."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.fingerprint import fingerprint, is_among
from sensitivenets.maps.base import Model
from sensitivenets.serialisation import decode_fields, encode_fields

_FITTED_ON = {
    True: "this table, before the map",
    False: "another table",
    None: "unknown: its folder is of an earlier version",
}


@dataclass(frozen=True)
class TableOrigin:
    """One table that was audited.

    Attributes
    ----------
    file : str or None
        Where it was read from; None for an array.
    rows, features : int or None
        Its shape.
    digests : dict of str to str
        What its embeddings are told by, such as ``sha256`` (see `embeddings.fingerprint`).
    """

    file: str | None = None
    rows: int | None = None
    features: int | None = None
    digests: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, vectors: FloatArray, file: str | None) -> TableOrigin:
        """Identify a table by its file, its shape and its digests."""
        return cls.from_dict({"file": file} | fingerprint(vectors))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, the digests beside the others; nothing where nothing is known."""
        known = {"file": self.file, "rows": self.rows, "features": self.features}
        return {key: v for key, v in known.items() if v is not None} | self.digests

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableOrigin:
        """Rebuild from what `to_dict` returned."""
        known = ("file", "rows", "features")
        values = {key: data.get(key) for key in known}
        values["digests"] = {key: value for key, value in data.items() if key not in known}
        origin = decode_fields(values, cls, "table")
        assert isinstance(origin, cls)
        return origin


@dataclass(frozen=True)
class ModelOrigin:
    """The model that made the second table.

    Attributes
    ----------
    method : str
        Name of its estimator.
    removed : str
        Attributes that it was to remove, joined by commas.
    folder : str or None
        Where it was read from; None for a model in memory.
    fitted_on : str or None
        Whether it was fitted on the first table, in words; None in records of before 0.2.
    """

    method: str
    removed: str
    folder: str | None = None
    fitted_on: str | None = None

    @classmethod
    def of(cls, model: Model, folder: str | None, before: TableOrigin) -> ModelOrigin:
        """Identify a model by its folder, its method, what it removes, and what it learned from."""
        fitted_on = _FITTED_ON[is_among(before.to_dict(), model.fingerprint)]
        return cls(model.method, ", ".join(model.removed), folder, fitted_on)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        place = {} if self.folder is None else {"folder": self.folder}
        fitted = {} if self.fitted_on is None else {"fitted_on": self.fitted_on}
        return place | {"method": self.method, "removed": self.removed} | fitted

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelOrigin:
        """Rebuild from what `to_dict` returned."""
        origin = decode_fields({"folder": None, "fitted_on": None} | dict(data), cls, "model")
        assert isinstance(origin, cls)
        return origin


@dataclass(frozen=True)
class GivenFiles:
    """Files with what was measured apart, perhaps on other rows.

    Attributes
    ----------
    verification, fairness : tuple of str
        Names of files that ``verify --json`` and ``fairness --json`` wrote.
    """

    verification: tuple[str, ...] = ()
    fairness: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; only what was given."""
        return {name: files for name, files in encode_fields(self).items() if files}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GivenFiles:
        """Rebuild from what `to_dict` returned."""
        given = decode_fields({"verification": [], "fairness": []} | dict(data), cls, "given")
        assert isinstance(given, cls)
        return given


@dataclass(frozen=True)
class Provenance:
    """What was audited.

    Attributes
    ----------
    before, after : TableOrigin or None
        The tables.
    model : ModelOrigin or None
        What made the second table, where the audit was given it.
    given : GivenFiles
        What was measured apart.
    date : str or None
        Day of the audit, as in 2026-01-31; None in records of before 0.3.
    remarks : dict of str to str
        Whatever else a reader should know, such as ``{"data": "synthetic"}``.
    """

    before: TableOrigin | None = None
    after: TableOrigin | None = None
    model: ModelOrigin | None = None
    given: GivenFiles = field(default_factory=GivenFiles)
    date: str | None = None
    remarks: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values, the remarks beside the others; nothing where nothing is known."""
        known = encode_fields(self)
        remarks: dict[str, str] = known.pop("remarks")
        return {name: value for name, value in known.items() if value} | remarks

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Provenance:
        """Rebuild from what `to_dict` returned.

        Raises
        ------
        InputError
            If a table, the model or the files are described otherwise.
        """
        parts: dict[str, Any] = {"before": None, "after": None, "model": None, "given": {}}
        values: dict[str, Any] = {name: data.get(name) or empty for name, empty in parts.items()}
        values["date"] = data.get("date")
        known = {*parts, "date"}
        values["remarks"] = {n: _text(value) for n, value in data.items() if n not in known}
        provenance = decode_fields(values, cls, "provenance")
        assert isinstance(provenance, cls)
        return provenance


def today() -> str:
    """Return the day, in UTC; that of SOURCE_DATE_EPOCH where a build must be reproducible."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    return moment.date().isoformat()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
