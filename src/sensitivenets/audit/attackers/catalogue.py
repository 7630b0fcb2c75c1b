"""The catalogue: which attackers there are, and which of them an audit sends where."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sklearn.base import ClassifierMixin

from sensitivenets.audit.attack import Attacker
from sensitivenets.audit.attackers.linear_quadratic import (
    digit_reader,
    logistic_regression,
    pseudo_labels,
    qda_by_groups,
    quadratic,
    regularised_qda,
    ridge_regression,
)
from sensitivenets.audit.attackers.local_votes import (
    boosted_regression,
    gallery_vote,
    histogram_gradient_boosting,
    label_spreading,
    nearest_neighbours,
    neighbour_regression,
    number_reader,
    random_forest,
)
from sensitivenets.audit.attackers.smooth_functions import (
    learned_metric,
    mlp,
    mlp_regression,
    rbf_svm,
    rbf_svr,
)
from sensitivenets.audit.preparations import (
    ALL_PREPARATIONS,
    BITS,
    DIGITS,
    L2,
    RAW,
    STANDARDISED,
    WHITENED,
)
from sensitivenets.audit.results import PROJECTED, SHUFFLED
from sensitivenets.audit.tasks import AttackTask, ClassTask
from sensitivenets.errors import InputError


def class_attackers() -> tuple[Attacker, ...]:
    """Every attacker of classes; the majority class and the voting ensemble come on top."""
    return (
        logistic_regression(),
        rbf_svm(),
        regularised_qda(),
        qda_by_groups(),
        quadratic(),
        mlp(),
        histogram_gradient_boosting(),
        random_forest(),
        nearest_neighbours(),
        gallery_vote(),
        label_spreading(),
        pseudo_labels(),
        learned_metric(),
        number_reader(),
        digit_reader(),
    )


def number_attackers() -> tuple[Attacker, ...]:
    """Every attacker of numbers; the mean predictor comes on top."""
    return (
        ridge_regression(),
        rbf_svr(),
        boosted_regression(),
        neighbour_regression(),
        mlp_regression(),
    )


def table_i_attackers() -> tuple[Attacker, ...]:
    """Return the three of Table I, on standardised embeddings: NN, SVM and RF."""
    three = (mlp(1, "NN"), replace(rbf_svm(), name="SVM"), random_forest("RF"))
    return tuple(replace(attacker, preparations=(STANDARDISED,)) for attacker in three)


def control_attackers() -> tuple[Attacker, ...]:
    """Attackers that take a second, for the controls: linear, quadratic, near and tree-like."""
    linear, qda = logistic_regression(), regularised_qda()
    return (
        replace(linear, preparations=(STANDARDISED, WHITENED)),
        replace(qda, preparations=(WHITENED,)),
        replace(quadratic(), preparations=(WHITENED,)),
        replace(nearest_neighbours(), preparations=(STANDARDISED,)),
        replace(gallery_vote(), preparations=(L2, RAW)),
    )


def from_estimators(estimators: Mapping[str, ClassifierMixin]) -> tuple[Attacker, ...]:
    """Make attackers of a user's classifiers: every preparation, their own parameters.

    Parameters
    ----------
    estimators : mapping of str to scikit-learn classifier
        Unfitted; cloned before use.

    Returns
    -------
    tuple of Attacker
        One for each name.
    """
    return tuple(
        Attacker(name, (({}, estimator),), sees_coordinates=True, cost=15)
        for name, estimator in estimators.items()
    )


# Seconds for the curves of one attribute on one table.
_CURVES_COST = 30.0


def seconds_of(attackers: Iterable[Attacker]) -> float:
    """Rough seconds of attackers, each on every preparation that it is shown."""
    return sum(attacker.cost * len(attacker.preparations) for attacker in attackers)


@dataclass(frozen=True)
class AuditPlan:
    """Which attackers an audit sends where, and what else it does.

    Attributes
    ----------
    mode : str
        ``"quick"`` or ``"full"``.
    attackers : tuple of Attacker
        Of each categorical attribute.
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
    number_attackers : tuple of Attacker
        Of each continuous attribute.
    shuffled_number_attackers : tuple of Attacker
        For the control with shuffled values.
    left_out : tuple of str
        What was left out to stay within a budget of time.
    """

    mode: str
    attackers: tuple[Attacker, ...]
    joint_attackers: tuple[Attacker, ...]
    shuffled_attackers: tuple[Attacker, ...]
    projection_attackers: tuple[Attacker, ...]
    preparations: tuple[str, ...]
    curves: bool
    number_attackers: tuple[Attacker, ...] = ()
    shuffled_number_attackers: tuple[Attacker, ...] = ()
    left_out: tuple[str, ...] = ()

    def within(self, seconds: float, *, times: float) -> AuditPlan:
        """Leave out what takes too long: the costliest attackers, the joint attribute, curves.

        Parameters
        ----------
        seconds : float
            To spend, roughly: costs are those of two ordinary cores.
        times : float
            How many times an attacker runs on each preparation: attributes times tables, by rows
            and features relative to 9 000 x 128, over processes.

        Returns
        -------
        AuditPlan
            The cheapest attackers, as many as fit; then the attributes crossed, then curves, if
            they fit as well. The controls stay, and one attacker.
        """
        left = seconds - times * seconds_of((*self.shuffled_attackers, *self.projection_attackers))
        kept: list[Attacker] = []
        left_out: list[str] = []
        for attacker in sorted(self.attackers, key=lambda a: seconds_of((a,))):
            if not kept or times * seconds_of((attacker,)) <= left:
                kept.append(attacker)
                left -= times * seconds_of((attacker,))
            else:
                left_out.append(attacker.name)
        joint = tuple(a for a in self.joint_attackers if a.name not in left_out)
        keeps_joint = times * seconds_of(joint) <= left
        left -= times * seconds_of(joint) if keeps_joint else 0
        keeps_curves = self.curves and times * _CURVES_COST <= left
        extras = (
            ("the attributes crossed", bool(self.joint_attackers) and not keeps_joint),
            ("curves", self.curves and not keeps_curves),
        )
        return replace(
            self,
            attackers=tuple(a for a in self.attackers if a in kept),
            joint_attackers=joint if keeps_joint else (),
            curves=keeps_curves,
            left_out=(*left_out, *(name for name, is_left_out in extras if is_left_out)),
        )

    def attackers_of(self, task: AttackTask, representation: str) -> tuple[Attacker, ...]:
        """Return who attacks an attribute on a representation, or as a control; perhaps no one."""
        if isinstance(task, ClassTask):
            controls = (self.shuffled_attackers, self.projection_attackers)
            ordinary = self.joint_attackers if task.is_joint else self.attackers
        else:
            controls = (self.shuffled_number_attackers, ())
            ordinary = self.number_attackers
        return dict(zip((SHUFFLED, PROJECTED), controls, strict=True)).get(representation, ordinary)


def quick_plan() -> AuditPlan:
    """Table I: three attackers on standardised embeddings, one control."""
    linear = replace(logistic_regression(), preparations=(STANDARDISED,))
    qda = replace(regularised_qda(), preparations=(STANDARDISED,))
    return AuditPlan("quick", table_i_attackers(), (), (linear, qda), (), (STANDARDISED,), False)


def full_plan(extra: Mapping[str, ClassifierMixin], *, curves: bool) -> AuditPlan:
    """Plan for every attacker, with a user's classifiers.

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
    ours = class_attackers()
    taken = {attacker.name for attacker in ours} & set(extra)
    if taken:
        raise InputError(
            f"attackers: {sorted(taken)[0]!r} is already in the battery; give yours another name"
        )
    attackers = (*ours, *from_estimators(extra))
    svm = replace(rbf_svm(), preparations=(WHITENED,), max_rows=3000, cost=3)
    return AuditPlan(
        mode="full",
        attackers=attackers,
        # The joint attribute has the same signal in finer classes: two preparations tell.
        joint_attackers=tuple(
            _restricted(a, (STANDARDISED, WHITENED)) for a in attackers if not a.by_groups
        ),
        shuffled_attackers=control_attackers(),
        projection_attackers=(*control_attackers(), svm),
        preparations=(*ALL_PREPARATIONS, BITS, DIGITS),
        curves=curves,
        number_attackers=number_attackers(),
        shuffled_number_attackers=(ridge_regression(), neighbour_regression()),
    )


def _restricted(attacker: Attacker, preparations: tuple[str, ...]) -> Attacker:
    kept = tuple(name for name in attacker.preparations if name in preparations)
    return replace(attacker, preparations=kept)
