"""Labels that are not what they look like: one class spelled twice, nothing spelled as a class."""

from __future__ import annotations

import numpy as np

from sensitivenets.embeddings.labels import UNLABELLED, Labels
from sensitivenets.errors import InputError, some_of

# As a person or a program writes that there is nothing.
_NOTHING = frozenset({
    "", "nan", "na", "n/a", "#n/a", "none", "null", "nil", "unknown", "undefined", "missing", "?",
    "-", "<na>", "nat",
})  # fmt: skip


def without_blanks(labels: Labels) -> Labels:
    """Take blank texts for no label: an identity that is written as nothing is nobody's.

    Parameters
    ----------
    labels : Labels
        Identities.

    Returns
    -------
    Labels
        The same, unlabelled where the class is empty or of blanks; classes without a row go.
    """
    blank = [not name.strip() for name in labels.classes]
    if not any(blank):
        return labels
    new = np.where(blank, UNLABELLED, np.cumsum(np.logical_not(blank)) - 1)
    # What is looked up for an unlabelled row is not looked at.
    codes = new.astype(labels.codes.dtype)[labels.codes]
    codes[~labels.labelled] = UNLABELLED
    kept = tuple(name for name, gone in zip(labels.classes, blank, strict=True) if not gone)
    return Labels(labels.name, codes, kept)


def require_distinct_classes(labels: Labels) -> None:
    """Refuse classes that differ only by case or blanks: an attacker cannot tell them, nor anyone.

    Raises
    ------
    InputError
        With the rows of each spelling.
    """
    spellings: dict[str, list[str]] = {}
    counts = {name: n for name, n in labels.counts().items() if n}
    for name in counts:
        spellings.setdefault(" ".join(name.split()).casefold(), []).append(name)
    twice = [
        f"{name!r} ({counts[name]} rows)" for k in spellings.values() if len(k) > 1 for name in k
    ]
    if twice:
        raise InputError(
            f"column {labels.name!r}: expected classes that differ by more than case and blanks, "
            f"found {some_of(twice, quoted=False)}; spell them alike"
        )


def classes_of_nothing(labels: Labels) -> str:
    """Say which classes are named as missing values are, with their rows; empty if none is.

    Parameters
    ----------
    labels : Labels
        An attribute.

    Returns
    -------
    str
        A warning for people.
    """
    named = [
        f"{name!r} ({n} rows)"
        for name, n in labels.counts().items()
        if n and name.strip().casefold() in _NOTHING
    ]
    if not named:
        return ""
    return (
        f"{labels.name}: {some_of(named, quoted=False)} counts as a class of its own, but is named "
        "as a missing value is; leave those labels empty (null) if nothing is known of the rows"
    )
