"""The comparisons within one group: both rows carry the same value of an attribute."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sensitivenets.errors import InputError
from sensitivenets.labels import Labels
from sensitivenets.verification.bootstrap import ScoredPairs
from sensitivenets.verification.pairs import Pairs
from sensitivenets.verification.rates import ErrorCurve, error_curve


@dataclass(frozen=True)
class GroupPairs:
    """The comparisons within one group.

    Attributes
    ----------
    curve : ErrorCurve or None
        Of all comparisons; None where a kind of them is missing.
    sample : ScoredPairs or None
        Those behind the intervals, all subjects of the table sharing one set of codes.
    n_subjects, n_genuine_subjects : int
        Subjects of the group, and those of them with a genuine pair.
    n_genuine, n_impostor : int
        Comparisons.
    """

    curve: ErrorCurve | None
    sample: ScoredPairs | None
    n_subjects: int
    n_genuine_subjects: int
    n_genuine: int
    n_impostor: int


def check_group_labels(n_rows: int, groups: dict[str, Labels]) -> None:
    """Refuse labels that are not one for each row.

    Raises
    ------
    InputError
        If a column has another length.
    """
    for name, labels in groups.items():
        if len(labels) != n_rows:
            raise InputError(
                f"{name}: expected one label for each of {n_rows} rows, found {len(labels)}"
            )


def pairs_within_groups(scored: ScoredPairs, pairs: Pairs, labels: Labels) -> dict[str, GroupPairs]:
    """Split given pairs by group; pairs across groups and unlabelled rows are left out.

    Parameters
    ----------
    scored : ScoredPairs
        All pairs with their scores and subjects.
    pairs : Pairs
        The same, as rows of the table.
    labels : Labels
        The attribute of each row.

    Returns
    -------
    dict of str to GroupPairs
        The groups that have a pair.
    """
    left, right = labels.codes[pairs.left], labels.codes[pairs.right]
    within = {
        group: np.flatnonzero((left == code) & (right == code))
        for code, group in enumerate(labels.classes)
    }
    return {group: _group_pairs(scored, keep) for group, keep in within.items() if len(keep)}


def _group_pairs(scored: ScoredPairs, keep: np.typing.NDArray[np.int64]) -> GroupPairs:
    part = replace(
        scored, scores=scored.scores[keep], left=scored.left[keep], right=scored.right[keep]
    )
    n_subjects = len(np.unique(np.concatenate([part.left, part.right])))
    n_genuine = int(np.count_nonzero(part.same))
    sizes = (n_subjects, part.n_genuine_subjects, n_genuine, len(keep) - n_genuine)
    if n_genuine in {0, len(keep)}:
        return GroupPairs(None, None, *sizes)
    return GroupPairs(error_curve(part.scores, part.same), part, *sizes)
