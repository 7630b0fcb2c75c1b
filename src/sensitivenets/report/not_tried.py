"""What an audit left untried, so that nobody reads more into it than it measured."""

from __future__ import annotations

from sensitivenets.audit.inversion import INVERSION
from sensitivenets.report.numbers import count, joined
from sensitivenets.report.record import AuditRecord

QUICK = "Quick audit: three attackers, none whitens"


def strongest_of(audit: AuditRecord) -> str:
    """Return "the strongest attacker", or how many it is the strongest of where they are few."""
    return "the strongest of three attackers" if audit.mode == "quick" else "the strongest attacker"


def not_tried(audit: AuditRecord) -> tuple[str, ...]:
    """List what was not tried, the most important first.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    tuple of str
        Sentences without a full stop; never empty.
    """
    found = []
    two_tables = audit.n_features_after is not None
    if audit.mode == "quick":
        found.append("every attacker but three, and whitening: run the whole audit")
    elif two_tables and audit.inversion is None and INVERSION not in audit.left_out:
        found.append("undoing the map: the model was not given")
    if audit.left_out:
        found.append(f"{joined(list(audit.left_out))}: the time that was set was too short")
    if two_tables and not audit.collusion:
        found.append("several protected versions of the same rows together")
    found += _untried_rows(audit)
    failed = sorted({
        result.attacker
        for attribute in audit.attributes
        for result in (attribute.after or attribute.before).attackers
        if result.balanced_accuracy is None
    })
    if failed:
        found.append(f"{joined(failed)}: failed")
    found.append(f"attackers with more than {count(audit.split.n_train)} labelled rows")
    names = [one.name for one in audit.attributes] + [one.name for one in audit.continuous]
    found.append(f"attributes other than {joined(names)}")
    return tuple(found)


def _untried_rows(audit: AuditRecord) -> list[str]:
    found = []
    if not audit.split.identified:
        found.append("several templates of one person, and recognition: identities are not known")
    if audit.mode != "quick" and all(
        (one.after or one.before).worst_subgroup is None for one in audit.attributes
    ):
        found.append("subgroups of the people")
    rows = audit.rows
    if rows is not None and rows.kind == "held":
        found.append("people whom the map has not seen")
    if rows is not None and rows.attackers_outside:
        found.append("attackers who learn from rows of the same kind as those attacked")
    return found
