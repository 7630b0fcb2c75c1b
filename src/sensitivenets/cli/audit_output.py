"""What an audit leaves: a table on the screen, audit.json, and a page where it can be drawn."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sensitivenets.audit import AuditResult, save_json, to_json
from sensitivenets.cli.output import percent, print_line, print_notice, print_table
from sensitivenets.embeddings.fingerprint import fingerprint, is_among
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.audit import AttributeResult, RegressionResult, Split
    from sensitivenets.cli.audit_inputs import Tables
    from sensitivenets.cli.audit_options import AuditOptions

_REPORT_NEEDS = ("jinja2", "matplotlib")
_CHANCE_OF_A_PAIR = 0.5
_FITTED_ON = {
    True: "this table, before the map",
    False: "another table",
    None: "unknown: its folder is of an earlier version",
}


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
    from sensitivenets.maps.model_folder import load_model

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
            "fitted_on": _FITTED_ON[is_among(audited["before"], made_by.fingerprint)],
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
    from sensitivenets.embeddings.tsne import compute_maps

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


def print_audit(result: AuditResult) -> None:
    """Write one line for recognition and each attribute, and whether to believe them."""
    rows = _recognition(result.verification)
    joint = [] if result.joint is None else [result.joint]
    rows += [_attribute(attribute) for attribute in (*result.attributes, *joint)]
    two = result.n_features_after is not None
    header = ["", "before", "after", "reduction", "random"] if two else ["", "table", "random"]
    print_table(header, rows if two else [[row[0], row[1], row[4]] for row in rows])
    for value in result.continuous:
        sides = {"before": value.before, "after": value.after}
        found = [f"{_continuous(side)} {when}" for when, side in sides.items() if side is not None]
        print_line(f"{value.name}: {', '.join(found)}")
    print_line(
        "Attributes: balanced accuracy of the strongest attacker, fitted on each table anew."
    )
    if result.verification:
        print_line(f"Recognition: {_figure(result.verification)}.")
    if result.trustworthy:
        print_line("The controls hold: these figures can be trusted.")
    else:
        print_line("These figures cannot be trusted:")
        for reason in result.reasons:
            print_line(f"  {reason}")


def _attribute(result: AttributeResult) -> list[str]:
    before = percent(result.before.strongest.balanced_accuracy)
    after = "" if result.after is None else percent(result.strongest.balanced_accuracy)
    gone = None if result.reduction is None else result.reduction.reduction
    return [result.name, before, after, _optional(gone), percent(result.chance)]


def _recognition(verification: dict[str, Any]) -> list[list[str]]:
    sides = [verification.get(side) for side in ("before", "after")]
    values = [None if side is None else _share_right(side) for side in sides]
    if values[0] is None:
        return []
    lost = None
    if values[1] is not None and values[0] > _CHANCE_OF_A_PAIR:
        lost = (values[0] - values[1]) / (values[0] - _CHANCE_OF_A_PAIR)
    chance = percent(_CHANCE_OF_A_PAIR)
    return [["recognition", percent(values[0]), _optional(values[1]), _optional(lost), chance]]


def _share_right(verification: dict[str, Any]) -> float:
    """Verification accuracy, or 1 - EER where all pairs were compared."""
    if "accuracy" in verification:
        return float(verification["accuracy"]["value"])
    return 1 - float(verification["eer"]["value"])


def _figure(verification: dict[str, Any]) -> str:
    measured = verification.get("before") or verification.get("after") or {}
    if "accuracy" in measured:
        return f"share of {measured['n_genuine'] + measured['n_impostor']} pairs decided rightly"
    return "one minus the equal error rate over all pairs"


def _optional(value: float | None) -> str:
    return "" if value is None else percent(value)


def _continuous(result: RegressionResult) -> str:
    if result.strongest.r2 is None:
        return "not measured"
    return f"R2 {result.strongest.r2:.2f} ({result.strongest.attacker})"
