"""The audit as a person meets it: the call, its result, and one HTML page with one JSON file.

The page needs matplotlib and jinja2, so what needs the page is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sensitivenets.report.audit_json import from_json, load_json, save_json, to_json
from sensitivenets.report.audits import audit, quick_audit
from sensitivenets.report.provenance import GivenFiles, ModelOrigin, Provenance, TableOrigin
from sensitivenets.report.recognition import Experiment, Recognition
from sensitivenets.report.record import AuditRecord
from sensitivenets.report.result import Audit

if TYPE_CHECKING:
    from sensitivenets.report.writing import ReportFiles, save_all, write_report

__all__ = [
    "Audit",
    "AuditRecord",
    "Experiment",
    "GivenFiles",
    "ModelOrigin",
    "Provenance",
    "Recognition",
    "ReportFiles",
    "TableOrigin",
    "audit",
    "from_json",
    "load_json",
    "quick_audit",
    "save_all",
    "save_json",
    "to_json",
    "write_report",
]

_WITH_THE_PAGE = ("ReportFiles", "save_all", "write_report")


def __getattr__(name: str) -> Any:
    if name not in _WITH_THE_PAGE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.writing"), name)
