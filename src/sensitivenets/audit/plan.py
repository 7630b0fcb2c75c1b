"""What an audit will do: which attackers, on what, with which controls and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sklearn.base import ClassifierMixin

from sensitivenets.audit.attackers.catalogue import (
    Attacker,
    control_attackers,
    from_estimators,
    full_battery,
    logistic_regression,
    rbf_svm,
    regularised_qda,
    table_i_attackers,
)
from sensitivenets.audit.preparations import ALL_PREPARATIONS, STANDARDISED, WHITENED
from sensitivenets.errors import InputError


@dataclass(frozen=True)
class AuditPlan:
    """What an audit will do.

    Attributes
    ----------
    mode : str
        ``"quick"`` or ``"full"``.
    attackers : tuple of Attacker
        Of each attribute.
    joint_attackers : tuple of Attacker
        Of the attributes crossed; empty to leave them.
    shuffled_attackers : tuple of Attacker
        For the control with shuffled labels.
    projection_attackers : tuple of Attacker
        For the control with a random projection; empty to leave it out.
    preparations : tuple of str
        Those that some attacker wants.
    curves : bool
        Whether to draw curves and code labels.
    """

    mode: str
    attackers: tuple[Attacker, ...]
    joint_attackers: tuple[Attacker, ...]
    shuffled_attackers: tuple[Attacker, ...]
    projection_attackers: tuple[Attacker, ...]
    preparations: tuple[str, ...]
    curves: bool


def quick_plan() -> AuditPlan:
    """Table I: three attackers on standardised embeddings, one control."""
    linear = replace(logistic_regression(), preparations=(STANDARDISED,))
    qda = replace(regularised_qda(), preparations=(STANDARDISED,))
    return AuditPlan("quick", table_i_attackers(), (), (linear, qda), (), (STANDARDISED,), False)


def full_plan(extra: Mapping[str, ClassifierMixin], *, curves: bool) -> AuditPlan:
    """Plan the whole battery, with a user's classifiers.

    Parameters
    ----------
    extra : mapping of str to scikit-learn classifier
        More attackers, by name.
    curves : bool
        Whether to draw curves and code labels.

    Returns
    -------
    AuditPlan
        See there.

    Raises
    ------
    InputError
        If a name is taken.
    """
    battery = full_battery()
    taken = {attacker.name for attacker in battery} & set(extra)
    if taken:
        raise InputError(
            f"attackers: {sorted(taken)[0]!r} is already in the battery; give yours another name"
        )
    attackers = (*battery, *from_estimators(extra))
    # The joint attribute has the same signal in finer classes: two preparations tell.
    joint = tuple(_restricted(attacker, (STANDARDISED, WHITENED)) for attacker in attackers)
    svm = replace(rbf_svm(), preparations=(WHITENED,), max_rows=3000, cost=3)
    controls = control_attackers()
    return AuditPlan("full", attackers, joint, controls, (*controls, svm), ALL_PREPARATIONS, curves)


def _restricted(attacker: Attacker, preparations: tuple[str, ...]) -> Attacker:
    kept = tuple(name for name in attacker.preparations if name in preparations)
    return replace(attacker, preparations=kept)
