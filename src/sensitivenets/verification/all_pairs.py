"""Verification over all pairs of a table: every row against every other row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from joblib import effective_n_jobs

from sensitivenets.embeddings import Labels, as_vectors, check_vectors
from sensitivenets.engines import Engine
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate
from sensitivenets.serialisation import decode_fields
from sensitivenets.verification.bootstrap import replicate
from sensitivenets.verification.domains import DomainComparison, compare_domains
from sensitivenets.verification.groups import (
    MIN_SUBJECTS,
    GroupComparison,
    GroupPairs,
    check_group_labels,
    compare_groups,
)
from sensitivenets.verification.operating_points import (
    OperatingPoint,
    curve_statistics,
    fields_of,
    optional_fields,
    summarise,
)
from sensitivenets.verification.pair_kinds import ACROSS, WITHIN, KindSizes, PairKind
from sensitivenets.verification.pair_sampling import plan_sample
from sensitivenets.verification.rates import EER_METHOD, FMR_TARGETS, ErrorCurve, check_targets
from sensitivenets.verification.score_histograms import (
    RESOLUTION,
    Progress,
    block_columns,
    count_scores,
)
from sensitivenets.verification.subject_rows import SubjectRows


@dataclass(frozen=True)
class AllPairsResult:
    """How well embeddings tell subjects apart, over all pairs of a table.

    Scores are cosine similarities: higher is more alike. All rates are fractions in [0, 1].

    Attributes
    ----------
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
        ROC and DET, at every edge of a bin that holds a score.
    n_rows, n_unlabelled, n_subjects : int
        Rows compared, rows dropped because their subject is unknown, and subjects.
    n_genuine, n_impostor : int
        Pairs of one subject, and of two.
    resolution : float
        Thresholds are multiples of it; the rates at a threshold are exact counts.
    drawn : str or None
        Which rows of a larger table these were, in words.
    domains : DomainComparison or None
        Pairs within domains and across them, where rows have some.
    """

    eer: Estimate
    eer_threshold: float
    auc: Estimate
    fnmr_at_fmr: tuple[OperatingPoint, ...]
    groups: tuple[GroupComparison, ...]
    curve: ErrorCurve
    n_rows: int
    n_unlabelled: int
    n_subjects: int
    n_genuine: int
    n_impostor: int
    resolution: float
    drawn: str | None = None
    domains: DomainComparison | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values; rates are fractions."""
        return {
            "protocol": "all pairs",
            "score": "cosine similarity, higher is more alike",
            "n_rows": self.n_rows,
            "n_unlabelled": self.n_unlabelled,
            "n_subjects": self.n_subjects,
            "n_genuine": self.n_genuine,
            "n_impostor": self.n_impostor,
            "resolution": self.resolution,
            "eer": asdict(self.eer) | {"threshold": self.eer_threshold, "method": EER_METHOD},
            "auc": asdict(self.auc),
            "fnmr_at_fmr": [point.to_dict() for point in self.fnmr_at_fmr],
            "groups": [comparison.to_dict() for comparison in self.groups],
            "roc": self.curve.to_dict(),
        } | optional_fields(drawn=self.drawn, domains=self.domains)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> AllPairsResult:
        """Rebuild from what `to_dict` returned; the curve has the points that were kept.

        Raises
        ------
        InputError
            If a field is missing, unknown or of another type.
        """
        fields = {"drawn": None, "domains": None} | fields_of(data)
        fields.pop("protocol", None)
        result = decode_fields(fields, cls, "verification")
        assert isinstance(result, cls)
        return result


def verify_all_pairs(
    vectors: Any,
    subject: Labels,
    groups: Mapping[str, Labels] | None = None,
    *,
    domain: Labels | None = None,
    fmr_targets: Sequence[float] = FMR_TARGETS,
    min_group_subjects: int = MIN_SUBJECTS,
    n_bootstrap: int = 500,
    random_state: int = 0,
    memory_limit: int = 2**30,
    n_jobs: int = 1,
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> AllPairsResult:
    """Measure verification over all pairs of a table, and within groups.

    Every pair of rows is scored, so subjects count by the pairs that their rows make: a subject
    of many rows weighs heavily in the FNMR. The score matrix is never held; see
    `score_histograms`. Time grows with the square of the rows.

    Parameters
    ----------
    vectors : EmbeddingTable or array-like of shape (n, d)
        Embeddings of any length; only their direction counts.
    subject : Labels of length n
        Identity of each row; unlabelled rows are dropped and counted.
    groups : mapping of str to Labels, optional
        Attributes whose groups to compare at the global thresholds, impostors within the group.
    domain : Labels, optional
        Source of each row, such as a camera: pairs of rows of one domain and of two are measured
        apart as well; rows without one are in neither.
    fmr_targets : sequence of float
        False match rates at which to report the FNMR, and to set global thresholds.
    min_group_subjects : int, default=20
        Groups of fewer subjects are listed without rates.
    n_bootstrap : int, default=500
        Draws of subjects behind the intervals.
    random_state : int, default=0
        Seed of the draws, and of the sample of pairs that they are made on.
    memory_limit : int, default=2**30
        Bytes for the ordered copy of the embeddings (two with `groups` or `domain`) and the blocks
        of scores. The curve and the sample behind the intervals take about 40 MiB more, whatever
        the rows.
    n_jobs : int, default=1
        Threads; -1 is all cores. With 1, matrix products still use the threads of BLAS.
    engine : Engine, optional
        Scores the pairs instead, on one thread of BLAS a worker; each has a copy of the rows.
    progress : callable, optional
        Told (blocks done, blocks in total, what).

    Returns
    -------
    AllPairsResult

    Raises
    ------
    InputError
        If an embedding is unusable, a column has another length, no subject has two rows, there
        is one subject only, or the memory is too little.
    """
    vectors = as_vectors(vectors, "vectors")
    check_vectors(vectors, "embeddings")
    targets = check_targets(fmr_targets)
    groups = groups or {}
    sources = {} if domain is None else {f"domain {domain.name!r}": domain}
    check_group_labels(len(vectors), {f"identity {subject.name!r}": subject, **groups, **sources})
    measure = _Measurement(
        targets, random_state, memory_limit, effective_n_jobs(n_jobs), engine, progress
    )
    known = int(np.count_nonzero(subject.labelled))
    measure = measure.with_room_for(known, vectors.shape[1], copies=2 if groups or domain else 1)
    rows = SubjectRows.of(vectors, subject.codes)
    _check_pairs(rows, subject)
    pairs = measure.pairs_of(rows, "all pairs", fmr_levels=measure.strata())
    assert pairs.curve is not None
    assert pairs.sample is not None
    draws = replicate(pairs.sample, curve_statistics(targets), n_bootstrap, random_state)
    summary = summarise(pairs.curve, targets, draws, pairs.n_genuine_subjects)
    comparisons = compare_groups(
        (
            (name, measure.within_groups(rows, name, labels, summary.fnmr_at_fmr))
            for name, labels in groups.items()
        ),
        summary.fnmr_at_fmr,
        min_subjects=min_group_subjects,
        n_bootstrap=n_bootstrap,
        random_state=random_state,
    )
    domains = None
    if domain is not None:
        domains = compare_domains(
            domain.name,
            measure.of_kinds(rows, domain),
            summary.fnmr_at_fmr,
            min_subjects=min_group_subjects,
            n_bootstrap=n_bootstrap,
            random_state=random_state,
        )
    return AllPairsResult(
        eer=summary.eer,
        eer_threshold=summary.eer_threshold,
        auc=summary.auc,
        fnmr_at_fmr=summary.fnmr_at_fmr,
        groups=comparisons,
        curve=pairs.curve,
        n_rows=known,
        n_unlabelled=len(subject) - known,
        n_subjects=pairs.n_subjects,
        n_genuine=pairs.n_genuine,
        n_impostor=pairs.n_impostor,
        resolution=RESOLUTION,
        domains=domains,
    )


@dataclass(frozen=True)
class _Measurement:
    """What all passes over pairs of one call have in common."""

    targets: tuple[float, ...]
    random_state: int
    memory_limit: int
    n_jobs: int
    engine: Engine | None
    progress: Progress | None

    def with_room_for(self, n_rows: int, dim: int, copies: int) -> _Measurement:
        """Take the ordered copies of the embeddings off the memory; refuse if they do not fit."""
        needed = copies * 4 * n_rows * dim
        if needed >= self.memory_limit:
            raise InputError(
                f"expected memory for {copies} float32 copies of {n_rows} x {dim} embeddings and "
                f"blocks of scores, more than {needed / 2**20:.0f} MiB, found a memory_limit of "
                f"{self.memory_limit / 2**20:.0f} MiB; raise it (verify --memory-limit)"
            )
        left = self.memory_limit - needed
        block_columns(left, self.n_jobs)
        return replace(self, memory_limit=left)

    def strata(self) -> tuple[float, ...]:
        """FMR levels of the sample: a draw's threshold may lie well below that of all pairs."""
        return tuple(2 * target for target in self.targets)

    def pairs_of(
        self,
        rows: SubjectRows,
        what: str,
        *,
        fmr_levels: tuple[float, ...] = (),
        cutoffs: tuple[float, ...] = (),
        kind: PairKind | None = None,
    ) -> GroupPairs:
        """Score all pairs of `rows`, and keep a sample of them for the bootstrap."""
        found = KindSizes(rows, kind)
        n_genuine, n_impostor = found.n_genuine, found.n_impostor
        sizes = (found.n_subjects, found.n_genuine_subjects, n_genuine, n_impostor)
        if not n_genuine or not n_impostor:
            return GroupPairs(None, None, *sizes)
        plan = plan_sample(
            rows.unit,
            rows.codes,
            n_genuine,
            n_impostor,
            fmr_levels=fmr_levels,
            cutoffs=cutoffs,
            kind=kind,
            seed=self.random_state,
        )
        histograms = count_scores(
            rows,
            plan,
            kind=kind,
            memory_limit=self.memory_limit,
            n_jobs=self.n_jobs,
            engine=self.engine,
            progress=self.progress,
            what=what,
        )
        return GroupPairs(histograms.curve(), histograms.sample(rows, plan), *sizes)

    def of_kinds(self, rows: SubjectRows, domain: Labels) -> dict[str, GroupPairs]:
        """Score the pairs within domains, and those across them."""
        codes = domain.codes[rows.order]
        rows, codes = rows.take(codes >= 0), codes[codes >= 0]
        return {
            name: self.pairs_of(
                rows,
                f"{name} {domain.name}",
                fmr_levels=self.strata(),
                kind=PairKind(codes, name == ACROSS),
            )
            for name in (WITHIN, ACROSS)
        }

    def within_groups(
        self,
        rows: SubjectRows,
        name: str,
        labels: Labels,
        points: tuple[OperatingPoint, ...],
    ) -> dict[str, GroupPairs]:
        """Score the pairs within each group that has rows."""
        cutoffs = tuple(
            p.threshold for p in points if p.threshold is not None and np.isfinite(p.threshold)
        )
        codes = labels.codes[rows.order]
        return {
            group: self.pairs_of(rows.take(codes == code), f"{name} {group}", cutoffs=cutoffs)
            for code, group in enumerate(labels.classes)
            if cutoffs and (codes == code).any()
        }


def _check_pairs(rows: SubjectRows, subject: Labels) -> None:
    if not rows.n_impostor:
        raise InputError(
            f"identity {subject.name!r}: expected at least two subjects, found "
            f"{len(rows.rows_per_subject)} among {len(rows)} labelled rows; without impostor pairs "
            "nothing can be verified"
        )
    if not rows.n_genuine:
        raise InputError(
            f"identity {subject.name!r}: expected a subject with two rows or more, found "
            f"{len(rows)} subjects of one row each; without genuine pairs nothing can be verified"
        )
