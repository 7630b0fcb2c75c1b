"""What `sensitivenets.audit` returns: the record, with its views."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sensitivenets.report.audit_json import load_json, save_json
from sensitivenets.report.overview import as_frame, as_html, as_text
from sensitivenets.report.record import AuditRecord

if TYPE_CHECKING:
    import pandas as pd

    from sensitivenets.report.writing import ReportFiles


@dataclass(frozen=True, repr=False)
class Audit(AuditRecord):
    """An audit with its evidence: what leaks, what was kept, and whether to believe it.

    Its fields are those of `AuditResult` (``attributes``, ``joint``, ``trustworthy``, ...) and of
    `AuditRecord` (``verification``, ``fairness``, ``maps``, ``provenance``). Printed, it is one
    screen; in a notebook, a table. Neither shows an embedding.
    """

    def __repr__(self) -> str:
        return as_text(self)

    def _repr_html_(self) -> str:
        return as_html(self)

    def to_frame(self) -> pd.DataFrame:
        """Return a data frame with one row for recognition and each attribute.

        Returns
        -------
        pandas.DataFrame
            ``name``, ``measure``, ``attacker`` (the strongest at last), ``before`` and ``after``
            with ``_low`` and ``_high`` ends of 95 % intervals, ``reduction`` likewise, ``chance``
            and ``trustworthy``. Figures are fractions; what was not measured is missing.

        Raises
        ------
        InputError
            If pandas is not installed.
        """
        return as_frame(self)

    def write_report(self, folder: str | Path, *, save_pictures: bool = False) -> ReportFiles:
        """Write ``audit.json`` and ``report.html``; see `report.write_report`.

        Parameters
        ----------
        folder : str or Path
            Made if it is not there.
        save_pictures : bool, default=False
            Also write every picture as SVG and PNG.

        Returns
        -------
        ReportFiles
            Paths of what was written.
        """
        # Only a page needs matplotlib and jinja2, which may not be installed.
        from sensitivenets.report.writing import write_report

        return write_report(self, folder, save_pictures=save_pictures)

    def save(self, path: str | Path) -> None:
        """Write audit.json alone; `load` reads it back."""
        save_json(self, Path(path))

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an audit.json, whoever wrote it.

        Raises
        ------
        InputError
            If the file is missing or is no audit.
        """
        record = load_json(Path(path))
        return cls(**{known.name: getattr(record, known.name) for known in fields(AuditRecord)})
