"""Hide who, keep what: the directions in which identities differ, without those of the task."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sensitivenets.erasers.base import Learned, parameterised
from sensitivenets.erasers.linear.leace import CholeskyWhitening, WhitenedEraser
from sensitivenets.erasers.linear.streaming import low_rank_edit
from sensitivenets.erasers.moments.attribute import AttributeMoments
from sensitivenets.erasers.moments.group import Float64
from sensitivenets.erasers.moments.pooled import GroupMeans
from sensitivenets.errors import InputError, require_int


@parameterised
class IdentitySpan(WhitenedEraser):
    """Remove the directions in which identities differ, and leave those of the task unchanged.

    LEACE (Belrose et al., NeurIPS 2023) removes the span of the class means. Thousands of
    identities span everything, and LEACE of them leaves a constant. Here the span of the task `y`
    is set apart first, as in SPLINCE (Holstege et al., NeurIPS 2025); of what is orthogonal to it
    in whitened rows, the directions in which the means of identities differ are removed, those in
    which they differ most first. Identities of one row are left out.

    What tells the task cannot be hidden by a linear map that keeps it: a smile of a person is
    partly a trait of that person.

    Parameters
    ----------
    n_directions : int, optional
        Directions to remove; all unless given: then nothing but the scores of the task is left.

    Attributes
    ----------
    model_ : Model
        Its map is `LowRankEdit`; its curve has a record for each direction: correlation (canonical,
        with the identities) and removed.
    """

    _keeps_target: ClassVar[bool] = True

    n_directions: int | None = None

    def _check(self) -> None:
        super()._check()
        if self.n_directions is not None:
            require_int("n_directions", self.n_directions, minimum=1)

    def _erase(self, moments: AttributeMoments) -> Learned:
        rows, target = moments.rows, moments.target
        assert target is not None
        whitening = CholeskyWhitening.of(
            rows.covariance, rows.covariance_rows, shrink=self.shrinkage
        )
        directions, strengths, _ = np.linalg.svd(
            whitening.whiten(target.between()), full_matrices=False
        )
        kept = directions[:, strengths > self.tolerance]
        several = [_of_several_rows(*one).between() for one in moments.attributes.items()]
        apart = [_apart(whitening.whiten(means), kept) for means in several]
        basis, correlations, _ = np.linalg.svd(np.concatenate(apart, axis=1), full_matrices=False)
        removed = correlations > self.tolerance
        if self.n_directions is not None:
            removed[self.n_directions :] = False
        curve = tuple(
            {"correlation": min(float(r), 1.0), "removed": bool(gone)}
            for r, gone in zip(correlations, removed, strict=True)
        )
        directions = basis[:, removed]
        read, write = whitening.readers(directions), whitening.unwhiten(directions).T
        return Learned(low_rank_edit(read, write, rows.mean), curve)


def _of_several_rows(name: str, groups: GroupMeans) -> GroupMeans:
    several = groups.counts > 1
    if several.sum() < 2:
        raise InputError(
            f"attribute {name!r}: expected at least two identities of two rows each, found "
            f"{int(several.sum())} among {len(several)}; give more rows of a person"
        )
    return GroupMeans(groups.counts[several], groups.means[several])


def _apart(columns: Float64, kept: Float64) -> Float64:
    """Take what lies in the span of orthonormal `kept` from the columns."""
    return np.asarray(columns - kept @ (kept.T @ columns))
