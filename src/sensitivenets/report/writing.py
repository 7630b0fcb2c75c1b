"""From an audit to files: audit.json, and one HTML page drawn from nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensitivenets.atomic import atomic_file
from sensitivenets.audit import AuditResult
from sensitivenets.errors import InputError
from sensitivenets.plots import save
from sensitivenets.report.audit_json import from_json, load_json, to_json
from sensitivenets.report.pictures import pictures
from sensitivenets.report.record import AuditRecord, as_record
from sensitivenets.report.rendering import render


@dataclass(frozen=True)
class ReportFiles:
    """What was written.

    Attributes
    ----------
    json, html : Path
        The figures, and the page.
    pictures : tuple of Path
        SVG and PNG of every picture, if they were asked for.
    """

    json: Path
    html: Path
    pictures: tuple[Path, ...] = ()


def write_report(
    audit: AuditResult | Mapping[str, Any] | str | Path,
    out: str | Path,
    *,
    save_pictures: bool = False,
) -> ReportFiles:
    """Write ``audit.json`` and ``report.html``, a page of its own drawn only from that JSON.

    Parameters
    ----------
    audit : AuditResult, mapping, or path
        What was found: a result, with its evidence or without, its JSON object, or the file that
        holds it.
    out : str or Path
        Folder; made if it is not there. Files of the same names are replaced.
    save_pictures : bool, default=False
        Also write every picture as SVG and PNG into ``out/pictures``.

    Returns
    -------
    ReportFiles
        Paths of what was written.

    Raises
    ------
    InputError
        If the audit is missing, no audit, or of a newer schema; or `out` is a file.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: expected a folder to write the report to, found a file")
    # What the page shows is what the file says: it is drawn from what the file is read back as.
    result = from_json(to_json(_as_result(audit)))
    text, page = to_json(result), render(result)
    files = ReportFiles(out / "audit.json", out / "report.html")
    for path, content in ((files.json, text), (files.html, page)):
        with atomic_file(path) as temporary:
            temporary.write_text(content, encoding="utf-8")
    if not save_pictures:
        return files
    return ReportFiles(files.json, files.html, save_all(result, out / "pictures"))


def save_all(audit: AuditResult, folder: str | Path) -> tuple[Path, ...]:
    """Write every picture that an audit allows, as SVG and as PNG.

    Parameters
    ----------
    audit : AuditResult
        What was found.
    folder : str or Path
        Made if it is not there.

    Returns
    -------
    tuple of Path
        The files.
    """
    folder = Path(folder)
    written: list[Path] = []
    for picture in pictures(as_record(audit)):
        figure = picture.draw().get_figure(root=True)
        if figure is not None:
            written += save(figure, folder / picture.name)
    return tuple(written)


def _as_result(audit: AuditResult | Mapping[str, Any] | str | Path) -> AuditRecord:
    if isinstance(audit, AuditResult):
        return as_record(audit)
    if isinstance(audit, Mapping):
        return from_json(json.dumps(audit))
    return load_json(Path(audit))
