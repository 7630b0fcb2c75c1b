"""What the commands of ``sensitivenets diveface`` are given: labelled tables and their columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sensitivenets.cli.selection import column_value
from sensitivenets.errors import InputError

if TYPE_CHECKING:
    from sensitivenets.diveface import LabelledSet
    from sensitivenets.labels import Labels

_SUBJECT = "subject"
_USUAL = ("gender", "ethnicity")


def read_labelled(source: Path, where: list[str], embedding: str) -> LabelledSet:
    """Read a labelled set and keep the rows that meet every condition."""
    from sensitivenets.diveface import read_set

    conditions = [column_value(text, "--where") for text in where]
    labelled = read_set(source, embedding=embedding)
    for column, value in conditions:
        labelled = labelled.where(column, value)
    return labelled


def attributes_of(labelled: LabelledSet, named: list[str] | None) -> list[str]:
    """Return the attributes named, or gender and ethnicity where they are there."""
    present = labelled.columns.column_names
    names = named or [name for name in _USUAL if name in present]
    if not names:
        raise InputError(
            f"{labelled.source}: expected an attribute, found no column gender or ethnicity; name "
            "one with --attribute"
        )
    return names


def identity_column_of(labelled: LabelledSet, named: str | None) -> str | None:
    """Return the identity column: as named, else subject if there is one."""
    if named is None and _SUBJECT in labelled.columns.column_names:
        return _SUBJECT
    return named


def subject_of(labelled: LabelledSet, named: str | None) -> Labels | None:
    """Return the identities, if they are known."""
    column = identity_column_of(labelled, named)
    return None if column is None else labelled.labels(column)


def classes_of(labelled: LabelledSet, attributes: list[str]) -> Labels:
    """Cross the attributes; refuse combinations that no row has."""
    from sensitivenets.diveface.balance import absent_combinations

    classes = labelled.classes(attributes)
    absent = absent_combinations({name: labelled.labels(name) for name in attributes}, classes)
    if absent:
        raise InputError(
            f"{labelled.source}: no row is {absent[0]!r} ({len(absent)} such combinations), so the "
            "set cannot be balanced; leave the class out (--where) or balance fewer attributes"
        )
    return classes
