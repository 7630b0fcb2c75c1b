"""The pictures of an audit: which there are, what they are called, what they show in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.axes import Axes

from sensitivenets import plots
from sensitivenets.audit import AttributeResult
from sensitivenets.intervals import Estimate
from sensitivenets.plots import PlanePoint
from sensitivenets.report.not_tried import strongest_of
from sensitivenets.report.record import AuditRecord


@dataclass(frozen=True)
class ReportPicture:
    """One picture, not yet drawn.

    Attributes
    ----------
    name : str
        File name without its ending; letters, digits and hyphens.
    section : str
        Where in the report it belongs: "attribute-0", "curves", "maps", ...
    description : str
        What it shows, for a reader who does not see it, and under it for one who does.
    draw : callable
        Draws it on a new figure.
    """

    name: str
    section: str
    description: str
    draw: Callable[[], Axes]


def pictures(audit: AuditRecord) -> list[ReportPicture]:
    """List the pictures that the data of an audit allow.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    list of ReportPicture
        In the order of the report.
    """
    everything = audit.everything
    return [
        *_attackers(everything),
        *_plane(audit, everything),
        *_curves(everything),
        *_certificates(audit),
        *_maps(audit),
        *_verification(audit),
        *_fairness(audit),
    ]


def _attackers(attributes: Sequence[AttributeResult]) -> list[ReportPicture]:
    return [
        ReportPicture(
            f"attackers-{k}",
            f"attribute-{k}",
            "Each attacker in its best preparation. The dashed line is a guess: a dot on it reads "
            "nothing, a dot further right reads more.",
            partial(plots.plot_attackers, attribute),
        )
        for k, attribute in enumerate(attributes)
    ]


def _plane(audit: AuditRecord, attributes: Sequence[AttributeResult]) -> list[ReportPicture]:
    kept = audit.recognition
    if kept is None or kept.before is None or kept.after is None:
        return []
    points = [
        PlanePoint(side, utility, Estimate(top.balanced_accuracy, top.low, top.high, top.n), a.name)
        for a in attributes
        for side, utility, top in (
            ("before", kept.before, a.before.strongest),
            ("after", kept.after, a.strongest),
        )
    ]
    text = (
        "What still leaks against what was kept. The best place is down and right: little read, "
        "everybody recognised."
    )
    leakage = f"{strongest_of(audit)[4:]}, balanced accuracy"
    draw = partial(plots.plot_plane, points, utility=kept.name, leakage=leakage)
    return [ReportPicture("privacy-utility", "recognition", text, draw)]


def _curves(attributes: Sequence[AttributeResult]) -> list[ReportPicture]:
    found = []
    if any(b.removal_curve for a in attributes for b in (a.before, a.after) if b):
        text = (
            "How well an attacker does when most features are withheld. A line that stays high "
            "says that the attribute is spread over all features. Attackers, re-fitted on what is "
            f"left: {_whose(attributes)}."
        )
        draw = partial(plots.plot_removal_curve, attributes)
        found.append(ReportPicture("features-removed", "curves", text, draw))
    if any(b.learning_curve for a in attributes for b in (a.before, a.after) if b):
        text = (
            "How well an attacker does with more labelled examples. A line that still climbs at "
            "its right end says that more labels would read more."
        )
        draw = partial(plots.plot_learning_curve, attributes)
        found.append(ReportPicture("labels", "curves", text, draw))
    return found


def _whose(attributes: Sequence[AttributeResult]) -> str:
    """Name the attackers of the removal curves."""
    batteries = [b for a in attributes for b in (a.before, a.after) if b is not None]
    names = dict.fromkeys(b.removal_curve.attacker for b in batteries if b.removal_curve)
    return "; ".join(names)


def _certificates(audit: AuditRecord) -> list[ReportPicture]:
    known = audit.certificates
    if known is None or not known.finite_outputs:
        return []
    text = (
        "What no attacker whatever passes, for outputs of so many values, in 95 of 100 audits; and "
        "how many pairs of two people then share a value. Where the bound is low a matcher takes "
        "many people for one."
    )
    draw = partial(plots.plot_finite_bounds, known.finite_outputs)
    found = [ReportPicture("bounds", "certificates", text, draw)]
    if known.forecasts:
        text = (
            "What an attacker reads with more labels. A band to the right says what ten and a "
            "hundred times the labels would read; where there is none the curve did not forecast "
            "its own last point."
        )
        draw = partial(plots.plot_label_forecasts, known.forecasts)
        found.append(ReportPicture("more-labels", "certificates", text, draw))
    return found


def _maps(audit: AuditRecord) -> list[ReportPicture]:
    maps = audit.maps
    if maps is None:
        return []
    text = (
        f"A t-SNE map of {len(maps.codes)} rows, coloured by {' and '.join(maps.attributes)}; the "
        "same rows and the same seed in each."
    )
    found = [ReportPicture("map-before", "maps", text, partial(plots.plot_map, maps, "before"))]
    if maps.after is not None:
        found.append(
            ReportPicture("map-after", "maps", text, partial(plots.plot_map, maps, "after"))
        )
    return found


def _verification(audit: AuditRecord) -> list[ReportPicture]:
    found = []
    for k, experiment in enumerate(audit.verification):
        curves = experiment.curves
        section = f"verification-{k}"
        roc = "How many pairs of one person are accepted, against how many of two people are."
        det = "Both errors on normal-deviate axes. Down and left is better."
        found.append(ReportPicture(f"roc-{k}", section, roc, partial(plots.plot_roc, curves)))
        found.append(ReportPicture(f"det-{k}", section, det, partial(plots.plot_det, curves)))
    return found


def _fairness(audit: AuditRecord) -> list[ReportPicture]:
    results = list(audit.fairness.values())
    if not results:
        return []
    text = (
        "How many of those who deserve the positive answer get it, in each group. The shorter "
        "the line between the two, the fairer."
    )
    return [
        ReportPicture("opportunity", "fairness", text, partial(plots.plot_opportunity, results))
    ]
