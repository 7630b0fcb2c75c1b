"""What an audit leaves: a table on the screen, audit.json, and a page where it can be drawn."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.audit import AuditResult, save_json, to_json
from sensitivenets.cli.audit_table import print_audit
from sensitivenets.cli.output import print_line, print_notice
from sensitivenets.errors import InputError
from sensitivenets.model import fingerprint

if TYPE_CHECKING:
    from sensitivenets.audit import Split
    from sensitivenets.cli.audit_inputs import Tables
    from sensitivenets.cli.audit_options import AuditOptions

_REPORT_NEEDS = ("jinja2", "matplotlib")


def write(result: AuditResult, out: Path, *, save_pictures: bool = False) -> Path:
    """Write audit.json, and report.html and pictures where their libraries are installed.

    Returns
    -------
    Path
        What to open.
    """
    missing = [name for name in _REPORT_NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        what = (
            "no report.html and no pictures: they need"
            if save_pictures
            else ("no report.html: it needs")
        )
        print_notice(f"{what} {' and '.join(missing)}; pip install 'sensitivenets[report]'")
        save_json(result, out / "audit.json")
        return out / "audit.json"
    from sensitivenets.report import write_report

    return write_report(result, out, save_pictures=save_pictures).html


def show(result: AuditResult, path: Path, *, json: bool) -> None:
    """Write the result to standard output: as JSON, or as a table and what to open."""
    if json:
        print_line(to_json(result).rstrip("\n"))
        return
    print_audit(result)
    print_line(f"open: {path}")


def provenance(tables: Tables, options: AuditOptions) -> dict[str, Any]:
    """Record what was audited: files, fingerprints, the model, what was measured apart."""
    from sensitivenets.model_folder import load_model

    audited: dict[str, Any] = {
        side: {"file": table.source} | fingerprint(table.vectors)
        for side, table in (("before", tables.before), ("after", tables.after))
        if table is not None
    }
    if options.model is not None:
        made_by = load_model(options.model)
        audited["model"] = {
            "folder": str(options.model),
            "method": made_by.method,
            "removed": ", ".join(made_by.removed),
        }
    verified = (options.verification_before, options.verification_after)
    given = {
        "verification": [str(path) for path in verified if path is not None],
        "fairness": [str(path) for path in options.fairness],
    }
    if any(given.values()):
        audited["given"] = {name: files for name, files in given.items() if files}
    return audited


def draw_maps(tables: Tables, split: Split, options: AuditOptions) -> dict[str, Any]:
    """Compute the t-SNE maps of the test rows, coloured by the attributes crossed."""
    from sensitivenets.maps import compute_maps

    if not options.attribute:
        return {}
    attributes = {name: tables.before.labels(name).take(split.test) for name in options.attribute}
    try:
        maps = compute_maps(
            tables.before.vectors[split.test],
            None if tables.after is None else tables.after.vectors[split.test],
            attributes,
            random_state=options.random_state,
        )
    except InputError as error:
        # An audit is worth having without its picture.
        print_notice(f"maps: not drawn, {error}")
        return {}
    return maps.to_dict()
