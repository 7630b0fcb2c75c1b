"""Codes in the words of ISO/IEC 24745 and 30136: what each property asks, what was measured."""

from __future__ import annotations

from sensitivenets.report.details import TextRow
from sensitivenets.report.numbers import count, percent, plain
from sensitivenets.report.record import AuditRecord

CODES = "codes"
_NOT_MEASURED = "not measured by this audit"


def iso_rows(audit: AuditRecord) -> tuple[TextRow, ...]:
    """Lay out the properties of protected templates; none where no codes were audited.

    Parameters
    ----------
    audit : AuditRecord
        What was found; its provenance says that the second table is of codes.

    Returns
    -------
    tuple of TextRow
        Property; what it asks, and what was measured.
    """
    if CODES not in audit.provenance.remarks:
        return ()
    return (
        TextRow(
            "Protected template",
            (
                "pseudonymous identifier, with the key as auxiliary data (24745)",
                audit.provenance.remarks[CODES],
            ),
        ),
        TextRow("Recognition accuracy", ("what protection costs (30136)", _accuracy(audit))),
        TextRow(
            "Irreversibility",
            ("the unprotected template cannot be found from it (24745)", _irreversibility(audit)),
        ),
        TextRow(
            "Unlinkability",
            (
                "codes of one person under two keys cannot be told to be so (24745)",
                f"{_NOT_MEASURED}; see `unlinkability` and `linkage` in the documentation of codes",
            ),
        ),
        TextRow(
            "Renewability",
            ("a new key gives a new template, and the two together tell no more", _renewed(audit)),
        ),
        TextRow("Storage", ("bits of a template (30136)", _storage(audit))),
    )


def _accuracy(audit: AuditRecord) -> str:
    kept = audit.recognition
    if kept is None or kept.before is None or kept.after is None:
        return _NOT_MEASURED
    before, after = percent(kept.before.value, 2), percent(kept.after.value, 2)
    return f"{kept.name}: {before} before, {after} after"


def _irreversibility(audit: AuditRecord) -> str:
    found = audit.inversion
    if found is None:
        return f"{_NOT_MEASURED}: give the model"
    return (
        f"with the key known, a trained inverter reaches a cosine of {plain(found.cosine)} to the "
        f"template ({plain(found.chance_cosine)} for the mean template)"
    )


def _renewed(audit: AuditRecord) -> str:
    if not audit.collusion:
        return f"{_NOT_MEASURED}: give a version under another key (--also)"
    alone = {one.name: one.strongest.balanced_accuracy for one in audit.attributes}
    return "; ".join(
        f"{one.attribute}: {percent(alone[one.attribute])} from one, "
        f"{percent(one.strongest.balanced_accuracy)} from {one.versions} together"
        for one in audit.collusion
    )


def _storage(audit: AuditRecord) -> str:
    before = 32 * (audit.n_features_before or 0)
    return f"{count(audit.n_features_after)} bits, {count(before)} before"
