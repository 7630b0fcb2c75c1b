"""One run, from the fit to its figures: what leaks, what is kept, what it costs."""

from __future__ import annotations

import statistics
import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sensitivenets.audit import AttributeResult, AuditResult, audit, quick_audit
from sensitivenets.audit.inversion import invert
from sensitivenets.benchmark.inputs import Attacking, Fitting, Inputs, Verifying
from sensitivenets.benchmark.methods import check_parameters, method_named
from sensitivenets.benchmark.peak_memory import peak_memory
from sensitivenets.benchmark.plan import UNCHANGED, Run
from sensitivenets.benchmark.record import (
    AcceptRate,
    AttackFigures,
    Figures,
    RunRecord,
    VerificationFigures,
    failed,
)
from sensitivenets.embeddings import FloatArray, Labels, check_vectors
from sensitivenets.verification import AllPairsResult, VerificationResult, verify, verify_all_pairs

_TIMED = 3


@dataclass(frozen=True)
class ProtocolSettings:
    """How every run is measured.

    Attributes
    ----------
    full : bool
        Whether every attacker of the audit is tried, and the inversion of the map; otherwise the
        three of Table I.
    random_state : int
        Seed of attackers and intervals: one for all runs, so that methods face the same adversary.
    n_threads : int
        Threads of a run.
    """

    full: bool = False
    random_state: int = 0
    n_threads: int = 1


def run_once(inputs: Inputs, run: Run, settings: ProtocolSettings, context: str) -> RunRecord:
    """Fit one method once and measure it; whatever goes wrong becomes part of the record.

    Parameters
    ----------
    inputs : Inputs
        The data.
    run : Run
        What to fit.
    settings : ProtocolSettings
        How to measure.
    context : str
        Identifies data and settings.

    Returns
    -------
    RunRecord
        With figures, or with the error.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            figures = _measure(inputs, run, settings)
        except Exception as error:  # noqa: BLE001 - a method may fail in any way; it is reported
            figures, reason = None, f"{type(error).__name__}: {error}"
    notes = dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning))
    if figures is None:
        return failed(run, context, reason, tuple(notes))
    record = failed(run, context, "", tuple(notes))
    return replace(record, figures=figures, error=None)


def _measure(inputs: Inputs, run: Run, settings: ProtocolSettings) -> Figures:
    estimator = _estimator(run)
    arguments = _arguments(inputs.fitting, run)
    with peak_memory() as peak:
        start = time.perf_counter()
        estimator.fit(inputs.fitting.X, **arguments)
        if method_named(run.method).adapts:
            estimator = estimator.adapt(inputs.attacking.X)
        fit_seconds = time.perf_counter() - start
    mapped, rate = _transformed(estimator, inputs.attacking.X, run)
    verification = _verified(estimator, inputs.verifying, settings)
    invertible = settings.full and run.method != UNCHANGED
    attributes, cosine = _attacked(
        estimator, inputs.attacking, mapped, settings, invertible=invertible
    )
    return Figures(
        fit_seconds=fit_seconds,
        transform_rows_per_second=rate,
        peak_memory=peak.taken,
        n_features=mapped.shape[1],
        attributes=attributes,
        inversion_cosine=cosine,
        verification=verification,
    )


def _estimator(run: Run) -> Any:
    """Make the estimator; import what it needs before the clock starts."""
    check_parameters(run.method, run.parameters)
    method = method_named(run.method)
    if method.needs_torch:
        import torch  # noqa: F401 - its import is no part of the fit
    return method.load()(**run.parameters, random_state=run.seed)


def _arguments(fitting: Fitting, run: Run) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    kept = fitting.task if method_named(run.method).keeps_task else fitting.target
    if kept is not None:
        codes = kept.codes
        arguments["y"] = pa.array(codes, mask=codes < 0)
    sensitive = {name: _values(labels) for name, labels in fitting.attributes.items()}
    if fitting.X_sensitive is None:
        return arguments | {"sensitive": sensitive}
    return arguments | {"detector": (fitting.X_sensitive, sensitive)}


def _values(labels: Labels) -> pa.Array:
    """Return the class names row by row; an unlabelled row is null."""
    names = np.array([*labels.classes, None], dtype=object)
    return pa.array(names[labels.codes], pa.string())


def _transformed(estimator: Any, X: FloatArray, run: Run) -> tuple[FloatArray, float]:
    """Map the rows, and time it: the median of a few times."""
    seconds = []
    for _ in range(_TIMED):
        start = time.perf_counter()
        mapped = np.asarray(estimator.transform(X))
        seconds.append(time.perf_counter() - start)
    check_vectors(mapped, f"{run}: its output")
    return mapped, len(X) / max(statistics.median(seconds), 1e-9)


def _verified(
    estimator: Any, verifying: Verifying, settings: ProtocolSettings
) -> tuple[VerificationFigures, ...]:
    mapped = np.asarray(estimator.transform(verifying.X))
    seed = settings.random_state
    results: dict[str, VerificationResult | AllPairsResult]
    if verifying.pairs:
        results = {
            name: verify(mapped, pairs, subject=verifying.subject, random_state=seed)
            for name, pairs in verifying.pairs.items()
        }
    else:
        assert verifying.subject is not None
        results = {"all pairs": verify_all_pairs(mapped, verifying.subject, random_state=seed)}
    return tuple(
        VerificationFigures(
            name=name,
            n_pairs=result.n_genuine + result.n_impostor,
            accuracy=result.accuracy.estimate if isinstance(result, VerificationResult) else None,
            eer=result.eer,
            accept_rates=tuple(AcceptRate(p.target_fmr, p.tar) for p in result.fnmr_at_fmr),
        )
        for name, result in results.items()
    )


def _attacked(
    estimator: Any,
    attacking: Attacking,
    mapped: FloatArray,
    settings: ProtocolSettings,
    *,
    invertible: bool,
) -> tuple[tuple[AttackFigures, ...], float | None]:
    """Attack the mapped rows and, if asked, what an inverter recovers from them.

    The table before the map is not attacked again in each run: the method ``none`` does that.
    """
    secret = _audited(attacking, mapped, settings)
    if not invertible:
        return tuple(_figures(a, None) for a in _all(secret)), None
    split = attacking.split
    order = np.concatenate([split.train, split.test])
    recovered = invert(
        estimator.transform, attacking.X[order], len(split.train), settings.random_state
    )
    vectors = np.empty_like(recovered.vectors, shape=attacking.X.shape)
    vectors[:] = recovered.vectors[0]
    vectors[order] = recovered.vectors
    public = _audited(attacking, vectors, settings)
    pairs = zip(_all(secret), _all(public), strict=True)
    return tuple(_figures(a, b) for a, b in pairs), recovered.summary.cosine


def _audited(attacking: Attacking, vectors: FloatArray, settings: ProtocolSettings) -> AuditResult:
    seed, attributes = settings.random_state, attacking.attributes
    split = attacking.split
    if settings.full:
        return audit(
            vectors, None, attributes, split=split, curves=False, random_state=seed, n_jobs=1
        )
    return quick_audit(vectors, None, attributes, split=split, random_state=seed, n_jobs=1)


def _all(result: AuditResult) -> list[AttributeResult]:
    return [*result.attributes, *([result.joint] if result.joint else [])]


def _figures(secret: AttributeResult, public: AttributeResult | None) -> AttackFigures:
    """Join what both adversaries read of one attribute."""
    strongest = secret.strongest
    if public is not None and (
        public.strongest.balanced_accuracy > secret.strongest.balanced_accuracy
    ):
        how = f"{public.strongest.preparation}, after inverting the map"
        strongest = replace(public.strongest, preparation=how)
    return AttackFigures(
        name=secret.name,
        chance=secret.chance,
        strongest=strongest,
        map_secret=secret.strongest,
        attackers=secret.before.attackers,
        inverted=() if public is None else public.before.attackers,
        shuffled_at_chance=all(
            a.controls.shuffled_at_chance for a in (secret, public) if a is not None
        ),
    )
