"""Do all groups suffer the same errors? FMR and FNMR of each group at one global threshold.

Impostor pairs are taken within a group: people are mostly mistaken for people like them, and
pairs across groups would hide it. The threshold is the same for all, as in any deployed system.
ISO/IEC 19795-10:2024 asks for such differentials together with their uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate, percentile_interval
from sensitivenets.serialisation import decode_fields
from sensitivenets.verification.bootstrap import ScoredPairs, rate_estimate, replicate
from sensitivenets.verification.operating_points import OperatingPoint
from sensitivenets.verification.pair_kinds import ACROSS, WITHIN, PairKind
from sensitivenets.verification.pairs import Pairs
from sensitivenets.verification.rates import ErrorCurve, error_curve, refusal
from sensitivenets.verification.scores import Float64Array

MIN_SUBJECTS = 20


@dataclass(frozen=True)
class GroupRates:
    """Error rates of one group at the global threshold.

    Attributes
    ----------
    group : str
        Value of the attribute.
    fmr, fnmr : Estimate or None
        Fractions, lower is better; None where refused.
    fmr_refused, fnmr_refused : str or None
        Why there is no figure.
    n_subjects, n_genuine, n_impostor : int
        Subjects and comparisons within the group.
    """

    group: str
    fmr: Estimate | None
    fnmr: Estimate | None
    fmr_refused: str | None
    fnmr_refused: str | None
    n_subjects: int
    n_genuine: int
    n_impostor: int


@dataclass(frozen=True)
class RateRatio:
    """The largest rate of a group divided by the smallest. 1 is equal treatment.

    Attributes
    ----------
    value : float or None
        At least 1; None where refused.
    low, high : float or None
        95 % interval of the ratio of these two groups, `high` infinite where draws of subjects
        leave the best group without an error. As the two were picked for being the extremes, the
        value leans upwards where groups are small.
    highest, lowest : str or None
        The two groups.
    refused : str or None
        Why there is no figure.
    """

    value: float | None = None
    low: float | None = None
    high: float | None = None
    highest: str | None = None
    lowest: str | None = None
    refused: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; infinity becomes null."""
        finite = self.high is not None and math.isfinite(self.high)
        return asdict(self) | {"high": self.high if finite else None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RateRatio:
        """Rebuild from what `to_dict` returned.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type.
        """
        ratio = decode_fields(data, cls, "ratio")
        assert isinstance(ratio, cls)
        unbounded = ratio.high is None and ratio.value is not None
        return replace(ratio, high=math.inf) if unbounded else ratio


@dataclass(frozen=True)
class GroupComparison:
    """The groups of one attribute at one global threshold.

    Attributes
    ----------
    attribute : str
        Such as ``"gender"``.
    target_fmr : float
        FMR over all pairs for which the threshold was set.
    threshold : float
        Cosine similarity; scores at or above it match. Taken as given in the intervals.
    groups : tuple of GroupRates
        In the order of the attribute's classes.
    fmr_ratio, fnmr_ratio : RateRatio
        Largest over smallest rate.
    """

    attribute: str
    target_fmr: float
    threshold: float
    groups: tuple[GroupRates, ...]
    fmr_ratio: RateRatio
    fnmr_ratio: RateRatio

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; rates are fractions."""
        return {
            "attribute": self.attribute,
            "target_fmr": self.target_fmr,
            "threshold": self.threshold,
            "groups": [asdict(group) for group in self.groups],
            "fmr_ratio": self.fmr_ratio.to_dict(),
            "fnmr_ratio": self.fnmr_ratio.to_dict(),
        }


def rates_at(curve: ErrorCurve, thresholds: Float64Array) -> Float64Array:
    """FMR and FNMR at given thresholds: shape (2, len(thresholds))."""
    at = np.searchsorted(-curve.thresholds, -thresholds, side="right") - 1
    return np.stack([curve.fmr[at], curve.fnmr[at]])


def compare_groups(
    attributes: Iterable[tuple[str, Mapping[str, GroupPairs]]],
    points: tuple[OperatingPoint, ...],
    *,
    min_subjects: int = MIN_SUBJECTS,
    n_bootstrap: int,
    random_state: int,
) -> tuple[GroupComparison, ...]:
    """Compare the groups of each attribute at each global threshold.

    Parameters
    ----------
    attributes : iterable of (str, mapping of str to GroupPairs)
        For each attribute its name, and the comparisons within each of its groups.
    points : tuple of OperatingPoint
        Global thresholds; refused ones are left out.
    min_subjects : int
        A group of fewer subjects gets no FMR, one of fewer with a genuine pair no FNMR.
    n_bootstrap : int
        Draws of subjects behind the intervals, the same draws for all groups.
    random_state : int
        Their seed.

    Returns
    -------
    tuple of GroupComparison
        One for each attribute and each point that was not refused.
    """
    used = [p for p in points if p.threshold is not None and math.isfinite(p.threshold)]
    thresholds = np.array([p.threshold for p in used], dtype=np.float64)
    if not used:
        return ()
    comparisons = []
    for attribute, groups in attributes:
        draws = {
            name: replicate(
                pairs.sample, lambda curve: rates_at(curve, thresholds), n_bootstrap, random_state
            )
            for name, pairs in groups.items()
            if pairs.sample is not None
        }
        for k, point in enumerate(used):
            at_point = {name: draw[:, :, k] for name, draw in draws.items()}
            comparisons.append(_compare(attribute, groups, point, at_point, min_subjects))
    return tuple(comparisons)


def _compare(
    attribute: str,
    groups: Mapping[str, GroupPairs],
    point: OperatingPoint,
    draws: Mapping[str, Float64Array],
    min_subjects: int,
) -> GroupComparison:
    assert point.threshold is not None
    rates = tuple(
        _group_rates(name, pairs, point, draws.get(name), min_subjects)
        for name, pairs in groups.items()
    )
    return GroupComparison(
        attribute,
        point.target_fmr,
        point.threshold,
        rates,
        _ratio(rates, "fmr", {name: draw[:, 0] for name, draw in draws.items()}),
        _ratio(rates, "fnmr", {name: draw[:, 1] for name, draw in draws.items()}),
    )


def _group_rates(
    name: str,
    pairs: GroupPairs,
    point: OperatingPoint,
    draws: Float64Array | None,
    min_subjects: int,
) -> GroupRates:
    fmr_refused = _too_few(name, pairs.n_subjects, "subjects", min_subjects) or refusal(
        point.target_fmr, pairs.n_impostor
    )
    fnmr_refused = _too_few(
        name, pairs.n_genuine_subjects, "subjects with two rows or more", min_subjects
    )
    fmr = fnmr = None
    if pairs.curve is None or draws is None or point.threshold is None:
        missing = (
            f"group {name!r} has {pairs.n_genuine} genuine and {pairs.n_impostor} impostor pairs; "
            "both kinds are needed"
        )
        fmr_refused, fnmr_refused = fmr_refused or missing, fnmr_refused or missing
    else:
        values = rates_at(pairs.curve, np.array([point.threshold]))[:, 0].tolist()
        if not fmr_refused:
            pairs_of_subjects = pairs.n_subjects * (pairs.n_subjects - 1) // 2
            n_units = min(pairs_of_subjects, pairs.n_impostor)
            fmr = rate_estimate(values[0], draws[:, 0], pairs.n_impostor, n_units)
        if not fnmr_refused:
            fnmr = rate_estimate(values[1], draws[:, 1], pairs.n_genuine, pairs.n_genuine_subjects)
    return GroupRates(
        name,
        fmr,
        fnmr,
        fmr_refused,
        fnmr_refused,
        pairs.n_subjects,
        pairs.n_genuine,
        pairs.n_impostor,
    )


def _too_few(name: str, found: int, what: str, least: int) -> str | None:
    if found >= least:
        return None
    return f"group {name!r} has {found} {what}, at least {least} needed"


def _ratio(
    groups: tuple[GroupRates, ...],
    rate: Literal["fmr", "fnmr"],
    draws: Mapping[str, Float64Array],
) -> RateRatio:
    values = {
        group.group: estimate.value
        for group in groups
        if (estimate := getattr(group, rate)) is not None
    }
    if len(values) < 2:
        return RateRatio(refused=f"figures of at least 2 groups needed, found {len(values)}")
    ascending = sorted(values, key=values.__getitem__)
    highest, lowest = ascending[-1], ascending[0]
    if values[lowest] == 0:
        return RateRatio(
            highest=highest,
            lowest=lowest,
            refused=f"no error was seen in group {lowest!r}, so the ratio has no upper bound",
        )
    value = values[highest] / values[lowest]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = draws[highest] / draws[lowest]
        # The sample's own ratio differs from that of all pairs by its sampling error.
        ratios = value * ratios[1:] / ratios[0]
    low, high = percentile_interval(ratios, "inverted_cdf")
    return RateRatio(value, max(low, 0.0), high, highest, lowest)


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


def pairs_of_kinds(scored: ScoredPairs, pairs: Pairs, domain: Labels) -> dict[str, GroupPairs]:
    """Split given pairs into those of one domain and those of two; unlabelled rows are left out.

    Parameters
    ----------
    scored : ScoredPairs
        All pairs with their scores and subjects.
    pairs : Pairs
        The same, as rows of the table.
    domain : Labels
        The domain of each row.

    Returns
    -------
    dict of str to GroupPairs
        Under "within" and "across".
    """
    known = domain.labelled[pairs.left] & domain.labelled[pairs.right]
    return {
        name: _group_pairs(
            scored,
            np.flatnonzero(
                known & PairKind(domain.codes, name == ACROSS).holds(pairs.left, pairs.right)
            ),
        )
        for name in (WITHIN, ACROSS)
    }


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
