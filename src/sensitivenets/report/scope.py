"""What an audit is of: how it was run, on whom, and with what, before any figure is read."""

from __future__ import annotations

from sensitivenets.audit.correspondence import COLUMNS, MAP, Correspondence
from sensitivenets.report.not_tried import QUICK
from sensitivenets.report.numbers import count, joined, percent
from sensitivenets.report.record import AuditRecord
from sensitivenets.report.rows import Population

_KNOWN_BY = {
    COLUMNS: "Rows of the two tables were joined by a column that tells them apart.",
    MAP: "The model makes the second table from the first, row by row: {found} of the rows.",
}
_ROWS = {
    "held": "held: the map has seen them",
    "new": "new to the map, as far as the columns tell",
    "unknown": "not known whether the map has seen them",
}


def scope_facts(audit: AuditRecord) -> tuple[tuple[str, str], ...]:
    """List the facts of the first screen, a term and a text each.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    tuple of (str, str)
        Scope, rows, people, labels, date, model, and whether the map had seen the rows.
    """
    split, made = audit.split, audit.provenance.model
    people = (
        f"{count(split.n_train_identities)}, and {count(split.n_test_identities)} others"
        if split.identified
        else "not known: each row counts as a person"
    )
    facts = [
        ("Scope", _scope(audit)),
        ("Rows", f"{count(split.n_train)} to learn from, {count(split.n_test)} to test on"),
        *([] if audit.drawn is None else [("Of a larger table", audit.drawn)]),
        ("People", people),
        ("Labels given to the attacker", count(split.n_train)),
        ("Date", audit.provenance.date or "not known"),
    ]
    if audit.n_features_after is not None:
        rows = audit.rows or Population("unknown", 0)
        facts.append(("Model", made.method if made else ", ".join(rows.made_by) or "not known"))
        facts.append(("These rows are", _ROWS[rows.kind]))
    return tuple(facts)


def _scope(audit: AuditRecord) -> str:
    if audit.mode == "quick":
        return QUICK
    if audit.left_out:
        return f"Audit within a time that was set: without {joined(list(audit.left_out))}"
    version = f" of sensitivenets {audit.library_version}" if audit.library_version else ""
    return f"Whole audit: every attacker{version}"


def correspondence_text(found: Correspondence) -> str:
    """Say how it is known that rows of two tables belong together, or that they do not."""
    if not found.holds:
        return f"{found.reason[0].upper()}{found.reason[1:]}."
    if found.known_by in _KNOWN_BY:
        return _KNOWN_BY[found.known_by].format(found=percent(found.found))
    return (
        f"Rows of the two tables have {percent(found.found)} of their nearest neighbours in "
        f"common, {percent(found.by_chance)} in an order drawn at random: they correspond."
    )
