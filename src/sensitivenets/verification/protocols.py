"""Verification on given pairs: the protocols of Labeled Faces in the Wild, ROC, EER, TAR at FAR.

References
----------
Huang, Ramesh, Berg, Learned-Miller (2007), Labeled Faces in the Wild. UMass Amherst TR 07-49.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from sensitivenets.embeddings import FloatArray, Labels, as_vectors
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.serialisation import decode_fields
from sensitivenets.verification.bootstrap import ScoredPairs, replicate, subjects_of_pairs
from sensitivenets.verification.domains import DomainComparison, compare_domains
from sensitivenets.verification.groups import (
    MIN_SUBJECTS,
    GroupComparison,
    check_group_labels,
    compare_groups,
    pairs_of_kinds,
    pairs_within_groups,
)
from sensitivenets.verification.operating_points import (
    OperatingPoint,
    curve_statistics,
    fields_of,
    optional_fields,
    summarise,
)
from sensitivenets.verification.pairs import Pairs
from sensitivenets.verification.rates import (
    EER_METHOD,
    FMR_TARGETS,
    ErrorCurve,
    check_targets,
    error_curve,
)
from sensitivenets.verification.scores import Float64Array, cosine_scores
from sensitivenets.verification.thresholds import (
    Accuracy,
    best_threshold_accuracy,
    cross_validated_accuracy,
    trained_threshold_accuracy,
)

Protocol = Literal["view1", "view2"]


@dataclass(frozen=True)
class VerificationResult:
    """How well embeddings tell whether two rows show one subject, on given pairs.

    Scores are cosine similarities: higher is more alike. All rates are fractions in [0, 1].

    Attributes
    ----------
    protocol : {"view1", "view2"}
        ``view2``: cross-validation over folds. ``view1``: one test part.
    accuracy : Accuracy
        Share of pairs decided rightly, with the thresholds and how they were chosen.
    eer : Estimate
        Equal error rate; lower is better, 0.5 is chance.
    eer_threshold : float
        Cosine similarity at the EER.
    auc : Estimate
        Area under the ROC curve; higher is better, 0.5 is chance.
    fnmr_at_fmr : tuple of OperatingPoint
        FNMR (and TAR) at each FMR asked for, refused where the pairs are too few for it.
    groups : tuple of GroupComparison
        For each attribute and each FMR: error rates of the groups at the global threshold.
    curve : ErrorCurve
        ROC and DET: both error rates at every threshold, all pairs pooled.
    n_genuine, n_impostor, n_subjects : int
        Pairs of each kind, and the subjects in them.
    subjects_from : str
        Where the subjects for the intervals came from.
    domains : DomainComparison or None
        Pairs within domains and across them, where rows have some.
    """

    protocol: Protocol
    accuracy: Accuracy
    eer: Estimate
    eer_threshold: float
    auc: Estimate
    fnmr_at_fmr: tuple[OperatingPoint, ...]
    groups: tuple[GroupComparison, ...]
    curve: ErrorCurve
    n_genuine: int
    n_impostor: int
    n_subjects: int
    subjects_from: str
    domains: DomainComparison | None = None

    def tar_at_far(self, far: float) -> Estimate:
        """Return 1 - FNMR at one of the FMR targets; higher is better.

        Raises
        ------
        InputError
            If that target was not asked for, or was refused.
        """
        for point in self.fnmr_at_fmr:
            if np.isclose(point.target_fmr, far, rtol=1e-9):
                if point.tar is None:
                    raise InputError(str(point.refused))
                return point.tar
        targets = ", ".join(f"{point.target_fmr:g}" for point in self.fnmr_at_fmr)
        raise InputError(f"expected one of the FMR targets {targets}, found {far:g}")

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; rates are fractions."""
        return {
            "protocol": self.protocol,
            "score": "cosine similarity, higher is more alike",
            "n_genuine": self.n_genuine,
            "n_impostor": self.n_impostor,
            "n_subjects": self.n_subjects,
            "subjects_from": self.subjects_from,
            "accuracy": self.accuracy.to_dict(),
            "eer": asdict(self.eer) | {"threshold": self.eer_threshold, "method": EER_METHOD},
            "auc": asdict(self.auc),
            "fnmr_at_fmr": [point.to_dict() for point in self.fnmr_at_fmr],
            "groups": [comparison.to_dict() for comparison in self.groups],
            "roc": self.curve.to_dict(),
        } | optional_fields(domains=self.domains)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VerificationResult:
        """Rebuild from what `to_dict` returned; the curve has the points that were kept.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type.
        """
        result = decode_fields({"domains": None} | fields_of(data), cls, "verification")
        assert isinstance(result, cls)
        return result


def verify(
    vectors: Any,
    pairs: Pairs,
    *,
    protocol: Protocol | None = None,
    training: Pairs | None = None,
    subject: Labels | None = None,
    groups: Mapping[str, Labels] | None = None,
    domain: Labels | None = None,
    fmr_targets: Sequence[float] = FMR_TARGETS,
    min_group_subjects: int = MIN_SUBJECTS,
    n_bootstrap: int = 1000,
    random_state: int = 0,
) -> VerificationResult:
    """Measure verification on given pairs.

    Parameters
    ----------
    vectors : EmbeddingTable or array-like of shape (n, d)
        Embeddings of any length; only their direction counts.
    pairs : Pairs
        Genuine and impostor pairs of rows of `vectors`.
    protocol : {"view1", "view2"}, optional
        ``view2``: for each fold the threshold is chosen on all other folds; the accuracy is the
        mean over folds. ``view1``: one threshold for all pairs, chosen on `training`, or, without
        it, on the pairs themselves, which the result then says. Unless given, ``view2`` where
        there are several folds.
    training : Pairs, optional
        For ``view1``: the pairs on which to choose the threshold (``pairsDevTrain.txt``).
    subject : Labels, optional
        Identity of each row, for the intervals; otherwise taken from the genuine pairs.
    groups : mapping of str to Labels, optional
        Attributes whose groups to compare at the global thresholds; only pairs within a group
        count.
    domain : Labels, optional
        Source of each row, such as a camera: pairs of rows of one domain and of two are measured
        apart as well; rows without one are in neither.
    fmr_targets : sequence of float
        False match rates at which to report the FNMR, and to set global thresholds.
    min_group_subjects : int, default=20
        Groups of fewer subjects are listed without rates.
    n_bootstrap : int, default=1000
        Draws of subjects behind the intervals of EER, AUC and FNMR.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    VerificationResult

    Raises
    ------
    InputError
        If a pair names a row that is not there, a kind of pair is missing, the protocol does not
        fit the folds, or `subject` contradicts a pair.
    """
    source = getattr(vectors, "source", None)
    vectors = as_vectors(vectors, "vectors")
    if source is not None:
        pairs.require_rows(len(vectors), source)
    pairs.require_both_kinds()
    targets = check_targets(fmr_targets)
    protocol = _choose_protocol(protocol, pairs, training)
    scores = cosine_scores(vectors, pairs)
    curve = error_curve(scores, pairs.same)
    groups = dict(groups or {})
    sources = {} if domain is None else {f"domain {domain.name!r}": domain}
    check_group_labels(len(vectors), {**groups, **sources})
    codes = subjects_of_pairs(pairs, len(vectors), subject)
    scored = ScoredPairs(scores, codes[pairs.left], codes[pairs.right], int(codes.max()) + 1)
    draws = replicate(scored, curve_statistics(targets), n_bootstrap, random_state)
    summary = summarise(curve, targets, draws, scored.n_genuine_subjects)
    comparisons = compare_groups(
        ((name, pairs_within_groups(scored, pairs, labels)) for name, labels in groups.items()),
        summary.fnmr_at_fmr,
        min_subjects=min_group_subjects,
        n_bootstrap=n_bootstrap,
        random_state=random_state,
    )
    domains = None
    if domain is not None:
        domains = compare_domains(
            domain.name,
            pairs_of_kinds(scored, pairs, domain),
            summary.fnmr_at_fmr,
            min_subjects=min_group_subjects,
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        )
    return VerificationResult(
        protocol=protocol,
        accuracy=_accuracy(protocol, vectors, pairs, scores, training),
        eer=summary.eer,
        eer_threshold=summary.eer_threshold,
        auc=summary.auc,
        fnmr_at_fmr=summary.fnmr_at_fmr,
        groups=comparisons,
        curve=curve,
        n_genuine=curve.n_genuine,
        n_impostor=curve.n_impostor,
        n_subjects=scored.n_subjects,
        subjects_from="genuine pairs" if subject is None else f"column {subject.name!r}",
        domains=domains,
    )


def _accuracy(
    protocol: Protocol,
    vectors: FloatArray,
    pairs: Pairs,
    scores: Float64Array,
    training: Pairs | None,
) -> Accuracy:
    if protocol == "view2":
        return cross_validated_accuracy(scores, pairs.same, pairs.fold)
    if training is None:
        return best_threshold_accuracy(scores, pairs.same)
    training.require_both_kinds()
    training_scores = cosine_scores(vectors, training)
    return trained_threshold_accuracy(training_scores, training.same, scores, pairs.same)


def _choose_protocol(protocol: Protocol | None, pairs: Pairs, training: Pairs | None) -> Protocol:
    n_folds = len(pairs.folds)
    if protocol is None:
        protocol = "view2" if n_folds > 1 else "view1"
    if protocol not in {"view1", "view2"}:
        raise InputError(f"expected protocol 'view1' or 'view2', found {protocol!r}")
    if protocol == "view2" and n_folds < 2:
        raise InputError(
            f"{pairs.source}: protocol view2 chooses each fold's threshold on the other folds; "
            f"expected at least 2 folds (LFW has 10), found {n_folds}; use protocol view1"
        )
    if protocol == "view2" and training is not None:
        raise InputError("training pairs are for protocol view1; view2 trains on its own folds")
    return protocol
