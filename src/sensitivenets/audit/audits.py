"""The audit: every attacker an honest adversary would try, with the controls that judge them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin

from sensitivenets.audit.attack import Advantage, EngineMap, Workers
from sensitivenets.audit.attackers.catalogue import full_plan, quick_plan, seconds_of
from sensitivenets.audit.attackers.smooth_functions import Kernels
from sensitivenets.audit.inversion import INVERSION, Phi
from sensitivenets.audit.results import AuditResult
from sensitivenets.audit.run import run_audit
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import require_real
from sensitivenets.progress import Progress

# Rows times features that the costs of attackers are for, and what even a few rows cost of that.
_USUAL_SIZE = 9000 * 128
_SMALLEST = 0.05
# Seconds of one core to train what undoes a map.
_INVERSION_COST = 60.0


def audit(
    before: Any,
    after: Any,
    attributes: Mapping[str, Labels],
    *,
    split: Split,
    continuous: Mapping[str, FloatArray] | None = None,
    attackers: Mapping[str, ClassifierMixin] | None = None,
    phi: Phi | None = None,
    subgroups: Mapping[str, Labels] | None = None,
    advantages: Sequence[Advantage] = (),
    curves: bool = True,
    budget: float | None = None,
    random_state: int = 0,
    n_jobs: int = 2,
    engine: EngineMap | None = None,
    kernels: Kernels | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Ask what an honest adversary still reads from embeddings, and whether to believe it.

    The adversary has embeddings of other people with known labels, after the map (threat "map
    secret"). It fits every attacker anew on raw, l2-normalised, standardised and PCA-whitened
    embeddings, chooses parameters on held-out identities, and is judged on the test rows. If `phi`
    is given it also undoes the map and attacks what it recovers (threat "map public").

    What a preparation cannot change for an attacker is not run twice: trees see the order of
    single features, so raw equals standardised; the gallery vote compares cosines, so raw equals
    l2; and where all rows have one norm, l2 equals raw.

    Controls: the majority class; attackers trained on shuffled labels, which must be at chance; the
    first table, which must be read clearly, or the attackers prove nothing; and a random
    projection of the first table to the rank of the second, if that is lower.

    Parameters
    ----------
    before : EmbeddingTable or array-like of shape (n, d)
        The embeddings as they were, or the only ones.
    after : EmbeddingTable or array-like of shape (n, k), or None
        The same rows after the map, whoever made it.
    attributes : mapping of str to Labels
        Categorical attributes of the n rows; unlabelled rows are left out. Several are also
        crossed into a joint attribute.
    split : Split
        Training and test rows of the attackers, identity-disjoint.
    continuous : mapping of str to ndarray of shape (n,), optional
        Continuous attributes, NaN where unknown.
    attackers : mapping of str to scikit-learn classifier, optional
        More attackers; cloned, and shown every preparation.
    phi : callable, optional
        The map from `before` to `after`, such as the `map` of a loaded model.
    subgroups : mapping of str to Labels, optional
        More columns of the n rows, such as age groups, to find the subgroup that is read best;
        each attribute is looked into by the values of the others as well.
    advantages : sequence of Advantage
        What adversaries have on top, such as faces without labels that they push through the map:
        see `advantages.gather`.
    curves : bool
        Whether to draw learning and feature-removal curves and to code labels online.
    budget : float, optional
        Minutes to stay within, roughly. What is left out for it, the result says.
    random_state : int
        The seed; the same seed gives the same result, whatever `n_jobs`.
    n_jobs : int
        Processes; each uses one thread.
    engine : EngineMap, optional
        Runs the attackers instead; it changes nothing of the result.
    kernels : Kernels, optional
        Makes the matrices of kernel machines, in place of numpy.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    AuditResult
        With ``mode`` "full".

    Raises
    ------
    InputError
        If tables, labels and split do not fit, fewer than two classes of an attribute have both
        training and test rows, or an attacker's name is taken.

    References
    ----------
    The shape (attack, control, baseline; "cannot be trusted") is that of anonymeter: Giomi et al.,
    "A unified framework for quantifying privacy risk in synthetic data" (PoPETs 2023).
    """
    plan = full_plan(attackers or {}, curves=curves)
    if budget is not None:
        require_real("budget", budget, above=0.0)
        size = len(split.train) * np.shape(before)[1] / _USUAL_SIZE
        times = max(size, _SMALLEST) * len(attributes) / n_jobs
        on_top = _OnTop(phi, tuple(advantages)).within(60 * budget / 2, times=times)
        phi, advantages = on_top.phi, on_top.advantages
        n_tables = 1 + (after is not None) + (phi is not None)
        plan = plan.within(60 * budget - on_top.seconds(times), times=n_tables * times)
        plan = replace(plan, left_out=(*plan.left_out, *on_top.left_out))
    return run_audit(
        before,
        after,
        attributes,
        plan=plan,
        split=split,
        random_state=random_state,
        workers=Workers(n_jobs, engine, kernels),
        progress=progress,
        continuous=continuous,
        phi=phi,
        subgroups=subgroups,
        advantages=advantages,
    )


@dataclass(frozen=True)
class _OnTop:
    """What an adversary has beside labelled embeddings; it gets half of a budget at most."""

    phi: Phi | None
    advantages: tuple[Advantage, ...]
    left_out: tuple[str, ...] = ()

    def seconds(self, times: float) -> float:
        """Rough seconds that it takes, the attack on what is recovered not counted."""
        inverting = 0.0 if self.phi is None else _INVERSION_COST
        return inverting + sum(times * seconds_of(one.attackers) for one in self.advantages)

    def within(self, seconds: float, *, times: float) -> _OnTop:
        """Leave out what takes too long: the costliest advantages, and then inversion."""
        kept = self
        for one in sorted(self.advantages, key=lambda a: seconds_of(a.attackers), reverse=True):
            if replace(kept, phi=None).seconds(times) > seconds:
                kept = kept._without(one)
        if self.phi is not None and kept.seconds(times) > seconds:
            kept = replace(kept, phi=None, left_out=(*kept.left_out, INVERSION))
        return kept

    def _without(self, advantage: Advantage) -> _OnTop:
        advantages = tuple(one for one in self.advantages if one is not advantage)
        return replace(self, advantages=advantages, left_out=(*self.left_out, advantage.means))


def quick_audit(
    before: Any,
    after: Any,
    attributes: Mapping[str, Labels],
    *,
    split: Split,
    random_state: int = 0,
    n_jobs: int = 2,
    engine: EngineMap | None = None,
    kernels: Kernels | None = None,
    progress: Progress | None = None,
) -> AuditResult:
    """Ask whether the attackers of Table I still read the attributes: NN, SVM and RF.

    Parameters
    ----------
    before : EmbeddingTable or array-like of shape (n, d)
        The embeddings as they were, or the only ones.
    after : EmbeddingTable or array-like of shape (n, k), or None
        The same rows after the map.
    attributes : mapping of str to Labels
        Categorical attributes of the n rows; unlabelled rows are left out.
    split : Split
        Training and test rows of the attackers, identity-disjoint.
    random_state : int
        The seed; the same seed gives the same result.
    n_jobs : int
        Processes; each uses one thread.
    engine : EngineMap, optional
        Runs the attackers instead; it changes nothing of the result.
    kernels : Kernels, optional
        Makes the matrices of kernel machines, in place of numpy.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    AuditResult
        With ``mode`` "quick".

    Raises
    ------
    InputError
        If the tables and labels differ in rows, or a training or test class is empty.
    """
    return run_audit(
        before,
        after,
        attributes,
        plan=quick_plan(),
        split=split,
        random_state=random_state,
        workers=Workers(n_jobs, engine, kernels),
        progress=progress,
    )
