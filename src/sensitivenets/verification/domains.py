"""Verification within domains, such as cameras or countries, and across them.

Pairs of rows of one domain and pairs of rows of two are measured apart. Each kind has an EER and
FNMR (and TAR) of its own; and both have FMR and FNMR at the thresholds of all pairs, which is what
a deployed system sees: a threshold that suits one domain may let strangers of two pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sensitivenets.intervals import Estimate
from sensitivenets.verification.bootstrap import replicate
from sensitivenets.verification.groups import (
    MIN_SUBJECTS,
    GroupComparison,
    GroupPairs,
    compare_groups,
)
from sensitivenets.verification.operating_points import (
    OperatingPoint,
    curve_statistics,
    summarise,
)


@dataclass(frozen=True)
class PairsOfKind:
    """Verification on pairs of one kind, by thresholds of its own.

    Attributes
    ----------
    kind : str
        "within" one domain, or "across" two.
    eer : Estimate or None
        Equal error rate; lower is better, 0.5 is chance. None where refused.
    eer_threshold : float or None
        Cosine similarity at the EER.
    auc : Estimate or None
        Area under the ROC curve; higher is better.
    fnmr_at_fmr : tuple of OperatingPoint
        FNMR (and TAR) at each FMR among pairs of this kind.
    n_subjects, n_genuine, n_impostor : int
        Subjects and pairs.
    refused : str or None
        Why there is no figure.
    """

    kind: str
    eer: Estimate | None
    eer_threshold: float | None
    auc: Estimate | None
    fnmr_at_fmr: tuple[OperatingPoint, ...]
    n_subjects: int
    n_genuine: int
    n_impostor: int
    refused: str | None


@dataclass(frozen=True)
class DomainComparison:
    """Pairs within domains and across them.

    Attributes
    ----------
    domain : str
        The column.
    kinds : tuple of PairsOfKind
        Within, then across.
    at_one_threshold : tuple of GroupComparison
        FMR and FNMR of both kinds at the threshold of each FMR over all pairs; "within" and
        "across" are its groups.
    """

    domain: str
    kinds: tuple[PairsOfKind, ...]
    at_one_threshold: tuple[GroupComparison, ...]


def compare_domains(
    domain: str,
    pairs: Mapping[str, GroupPairs],
    points: tuple[OperatingPoint, ...],
    *,
    min_subjects: int = MIN_SUBJECTS,
    n_bootstrap: int,
    random_state: int,
) -> DomainComparison:
    """Measure each kind of pairs by itself and at the thresholds of all.

    Parameters
    ----------
    domain : str
        The column.
    pairs : mapping of str to GroupPairs
        The pairs of each kind.
    points : tuple of OperatingPoint
        Thresholds of all pairs.
    min_subjects : int
        A kind of fewer subjects gets no rates at them.
    n_bootstrap : int
        Draws of subjects behind the intervals.
    random_state : int
        Their seed.

    Returns
    -------
    DomainComparison
        Frozen.
    """
    targets = tuple(point.target_fmr for point in points)
    return DomainComparison(
        domain,
        tuple(
            _measured(kind, found, targets, n_bootstrap, random_state)
            for kind, found in pairs.items()
        ),
        compare_groups(
            [(domain, pairs)],
            points,
            min_subjects=min_subjects,
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        ),
    )


def _measured(
    kind: str,
    pairs: GroupPairs,
    targets: tuple[float, ...],
    n_bootstrap: int,
    random_state: int,
) -> PairsOfKind:
    sizes = (pairs.n_subjects, pairs.n_genuine, pairs.n_impostor)
    if pairs.curve is None or pairs.sample is None:
        why = (
            f"{pairs.n_genuine} genuine and {pairs.n_impostor} impostor pairs {kind} domains; "
            "both kinds are needed"
        )
        return PairsOfKind(kind, None, None, None, (), *sizes, why)
    draws = replicate(pairs.sample, curve_statistics(targets), n_bootstrap, random_state)
    found = summarise(pairs.curve, targets, draws, pairs.n_genuine_subjects)
    return PairsOfKind(
        kind, found.eer, found.eer_threshold, found.auc, found.fnmr_at_fmr, *sizes, None
    )
