"""All certificates of one audited table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from sensitivenets.audit.attack import Attacker, Workers, run_jobs
from sensitivenets.audit.attackers.linear_quadratic import logistic_regression, regularised_qda
from sensitivenets.audit.certificates.bayes_error import BayesErrorEstimate, bayes_error
from sensitivenets.audit.certificates.finite_outputs import FiniteBound, finite_outputs
from sensitivenets.audit.certificates.label_forecast import LabelForecast, label_forecast
from sensitivenets.audit.certificates.moments import MomentCertificate, moment_certificate
from sensitivenets.audit.certificates.power import Power, audit_power
from sensitivenets.audit.metrics import TrueLabels
from sensitivenets.audit.preparations import STANDARDISED, WHITENED, prepare
from sensitivenets.audit.splits import IntArray, Split
from sensitivenets.audit.tasks import ClassTask
from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.progress import Steps

#: What no certificate says.
NO_BOUND = (
    "No bound over all attackers exists for the templates themselves: whatever rows were looked "
    "at, they could come from people of whom some attacker reads every template right."
)


@dataclass(frozen=True)
class Certificates:
    """What can be said beyond the attackers that were run, by attribute where it depends on one.

    Attributes
    ----------
    finite_outputs : dict of str to tuple of FiniteBound
        Bounds on any attacker of coarse outputs of the table.
    moments : dict of str to MomentCertificate
        What Gaussian attackers with unlimited labels read; without attributes of too few rows.
    forecasts : dict of str to LabelForecast
        What an attacker reads with more labels; without attributes of too few rows.
    bayes_error : dict of str to BayesErrorEstimate
        Estimates of what the best attacker reads.
    power : tuple of Power
        The smallest leaks that an audit of these rows finds.
    """

    finite_outputs: dict[str, tuple[FiniteBound, ...]] = field(default_factory=dict)
    moments: dict[str, MomentCertificate] = field(default_factory=dict)
    forecasts: dict[str, LabelForecast] = field(default_factory=dict)
    bayes_error: dict[str, BayesErrorEstimate] = field(default_factory=dict)
    power: tuple[Power, ...] = ()


def certify(
    table: FloatArray,
    attributes: Mapping[str, Labels],
    split: Split,
    *,
    random_state: int = 0,
    workers: Workers | None = None,
) -> Certificates:
    """Make every certificate of a table.

    Parameters
    ----------
    table : ndarray of shape (n, k)
        The table after the map, or the only one.
    attributes : mapping of str to Labels
        Of the n rows.
    split : Split
        Who trains attackers and who is attacked.
    random_state : int, default=0
        The seed.
    workers : Workers, optional
        Who does the jobs; this process unless given.

    Returns
    -------
    Certificates
        See there.
    """
    order = np.concatenate([split.train, split.test])
    rows, n_train = table[order], len(split.train)
    people = split.identities(len(table))[order]
    prepared = prepare(rows, n_train, names=(STANDARDISED, WHITENED))
    if not prepared.by_name:
        return Certificates()
    standard, white = (prepared.by_name[name].rotated for name in (STANDARDISED, WHITENED))
    tables = _Tables(rows, standard, white, people)
    of_attributes = run_jobs(
        _certify_attribute,
        [
            (tables, labels.take(order), ClassTask.make(labels, split, random_state), random_state)
            for labels in attributes.values()
        ],
        costs=[1.0] * len(attributes),
        names=[f"{name}: certificates" for name in attributes],
        workers=workers or Workers(),
        steps=Steps(0),
    )
    own = dict(zip(attributes, of_attributes, strict=True))
    return Certificates(
        finite_outputs={name: one.finite_outputs for name, one in own.items()},
        moments={name: one.moments for name, one in own.items() if one.moments is not None},
        forecasts={name: one.forecast for name, one in own.items() if one.forecast is not None},
        bayes_error={name: one.bayes_error for name, one in own.items()},
        power=audit_power(rows, n_train, len(np.unique(people[n_train:])), random_state),
    )


@dataclass(frozen=True)
class _Tables:
    """The rows of a split in order, as they are and prepared, and who they show."""

    rows: FloatArray
    standard: FloatArray
    white: FloatArray
    people: IntArray


@dataclass(frozen=True)
class _OfAttribute:
    """The certificates of one attribute."""

    finite_outputs: tuple[FiniteBound, ...]
    moments: MomentCertificate | None
    forecast: LabelForecast | None
    bayes_error: BayesErrorEstimate


def _certify_attribute(tables: _Tables, labels: Labels, task: ClassTask, seed: int) -> _OfAttribute:
    return _OfAttribute(
        finite_outputs(tables.rows, labels, tables.people, seed),
        moment_certificate(tables.rows, labels, tables.people, seed),
        _best_forecast(tables.white, task, task.truth(tables.people, seed), seed),
        bayes_error(tables.standard, task, seed),
    )


def _best_forecast(
    X: FloatArray, task: ClassTask, truth: TrueLabels, seed: int
) -> LabelForecast | None:
    """Of the attacker that reads more with all labels, of a linear and a quadratic one."""
    found = [
        label_forecast(attacker, WHITENED, X, task, truth, seed)
        for attacker in (_fixed(logistic_regression(), 1), _fixed(regularised_qda(), 1))
    ]
    known = [one for one in found if one is not None]
    return max(known, key=lambda one: one.measured[-1].balanced_accuracy, default=None)


def _fixed(attacker: Attacker, candidate: int) -> Attacker:
    return replace(attacker, candidates=attacker.candidates[candidate : candidate + 1])
