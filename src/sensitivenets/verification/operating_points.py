"""The figures read off an error curve, with their intervals: EER, AUC, FNMR at each FMR."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from sensitivenets.intervals import Estimate
from sensitivenets.serialisation import decode_fields, encode
from sensitivenets.verification.bootstrap import Statistic, rate_estimate
from sensitivenets.verification.rates import (
    ErrorCurve,
    area_under_curve,
    equal_error_rate,
    refusal,
    threshold_at_fmr,
)
from sensitivenets.verification.scores import Float64Array


@dataclass(frozen=True)
class OperatingPoint:
    """FNMR at the lowest threshold whose FMR does not exceed a target.

    Attributes
    ----------
    target_fmr : float
        The FMR asked for.
    fnmr : Estimate or None
        Lower is better; None if refused.
    fmr : float or None
        The FMR at that threshold, at most the target.
    threshold : float or None
        Cosine similarity; scores at or above it match.
    refused : str or None
        Why there is no figure: the comparisons are too few for this FMR.
    """

    target_fmr: float
    fnmr: Estimate | None = None
    fmr: float | None = None
    threshold: float | None = None
    refused: str | None = None

    @property
    def tar(self) -> Estimate | None:
        """True acceptance rate, 1 - FNMR ("TAR at FAR"); None if refused. Higher is better."""
        if self.fnmr is None:
            return None
        fnmr = self.fnmr
        return Estimate(1 - fnmr.value, 1 - fnmr.high, 1 - fnmr.low, fnmr.n)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; an infinite threshold, where nothing matches, is null."""
        finite = self.threshold is not None and math.isfinite(self.threshold)
        return {
            "target_fmr": self.target_fmr,
            "fnmr": asdict(self.fnmr) if self.fnmr else None,
            "tar": asdict(self.tar) if self.tar else None,
            "fmr": self.fmr,
            "threshold": self.threshold if finite else None,
            "refused": self.refused,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> OperatingPoint:
        """Rebuild from what `to_dict` returned.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type.
        """
        fields = {key: value for key, value in data.items() if key != "tar"}
        point = decode_fields(fields, cls, "fnmr_at_fmr")
        assert isinstance(point, cls)
        never = point.threshold is None and point.fnmr is not None
        return replace(point, threshold=math.inf) if never else point


@dataclass(frozen=True)
class CurveSummary:
    """The figures of one error curve.

    Attributes
    ----------
    eer, auc : Estimate
        Equal error rate and area under the ROC curve.
    eer_threshold : float
        Cosine similarity at the EER.
    fnmr_at_fmr : tuple of OperatingPoint
        One for each FMR target.
    """

    eer: Estimate
    eer_threshold: float
    auc: Estimate
    fnmr_at_fmr: tuple[OperatingPoint, ...]


def fields_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Undo how a verification result is written: its EER with a threshold, its curve as "roc"."""
    fields = {key: value for key, value in data.items() if key not in {"score", "roc"}}
    fields["curve"] = data.get("roc")
    eer = dict(data["eer"]) if isinstance(data.get("eer"), Mapping) else {}
    eer.pop("method", None)
    return fields | {"eer_threshold": eer.pop("threshold", None), "eer": eer}


def optional_fields(**given: Any) -> dict[str, Any]:
    """Write those fields of a verification result that there are: earlier versions had none."""
    return {name: encode(value) for name, value in given.items() if value is not None}


def curve_statistics(targets: tuple[float, ...]) -> Statistic:
    """Return the function that `summarise` needs replicates of: EER, AUC, FNMR at each target."""

    def statistics(curve: ErrorCurve) -> Float64Array:
        eer, _ = equal_error_rate(curve)
        fnmr = [threshold_at_fmr(curve, target).fnmr for target in targets]
        return np.array([eer, area_under_curve(curve), *fnmr])

    return statistics


def summarise(
    curve: ErrorCurve, targets: tuple[float, ...], draws: Float64Array, n_units: int
) -> CurveSummary:
    """Read EER, AUC and FNMR off a curve and put intervals around them.

    Parameters
    ----------
    curve : ErrorCurve
        Of all comparisons.
    targets : tuple of float
        False match rates.
    draws : ndarray of shape (1 + b, 2 + len(targets))
        What `bootstrap.replicate` returned for `curve_statistics`.
    n_units : int
        Subjects with a genuine comparison.

    Returns
    -------
    CurveSummary
    """
    eer, eer_threshold = equal_error_rate(curve)
    n_pairs = curve.n_genuine + curve.n_impostor
    points = [_point(curve, target, draws[:, 2 + k], n_units) for k, target in enumerate(targets)]
    return CurveSummary(
        rate_estimate(eer, draws[:, 0], n_pairs, n_units),
        eer_threshold,
        rate_estimate(area_under_curve(curve), draws[:, 1], n_pairs, n_units),
        tuple(points),
    )


def _point(curve: ErrorCurve, target: float, draws: Float64Array, n_units: int) -> OperatingPoint:
    refused = refusal(target, curve.n_impostor)
    if refused:
        return OperatingPoint(target, refused=refused)
    point = threshold_at_fmr(curve, target)
    fnmr = rate_estimate(point.fnmr, draws, curve.n_genuine, n_units)
    return OperatingPoint(target, fnmr, point.fmr, point.threshold)
