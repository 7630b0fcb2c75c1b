"""The methods that can be asked for by name, and the parameters a benchmark tries of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sensitivenets.errors import InputError, did_you_mean

_ERASERS = "sensitivenets.erasers"
_LINEAR = f"{_ERASERS}.linear"
_TRANSPORT = f"{_ERASERS}.transport"
_DEPENDENCE = f"{_ERASERS}.dependence"
_ADVERSARIAL = f"{_ERASERS}.adversarial"

_SECONDS, _MINUTE, _MINUTES = "seconds", "a minute or two", "minutes"
_LEFT_OUT = f"{_MINUTES}; recognition, with the features that are left out"
_LINEAR_ONLY = f"{_SECONDS}; attackers that are not linear read on"

#: What a method is tried with unless a grid says otherwise: one mapping a point.
Grid = tuple[Mapping[str, Any], ...]
_DEFAULTS: Grid = ({},)


@dataclass(frozen=True)
class Method:
    """Where the estimator of a method lives, and what a benchmark tries of it.

    Attributes
    ----------
    module, name : str
        The class; nothing is imported until `load`.
    grid : tuple of mapping
        Parameters of each point; what is not named keeps its default.
    needs_torch : bool
        Whether it needs torch to fit.
    keeps_task : bool
        Whether its target `y` must be a label of few classes; identities do not do.
    adapts : bool
        Whether the fitted estimator is adapted to the rows at hand, without their labels, before it
        maps them: what `protect` does, and no `fit` can.
    cost : str
        How long a fit takes on 28 557 rows of 128 features on two cores, and what else it costs.
        The times are those of docs/leaderboard; a test compares.
    """

    module: str
    name: str
    grid: Grid = _DEFAULTS
    needs_torch: bool = False
    keeps_task: bool = False
    adapts: bool = False
    cost: str = ""

    def load(self) -> type[Any]:
        """Import the class.

        Raises
        ------
        InputError
            If there is no such module or class, or it is no transformer.
        """
        where = f"method {self.module}:{self.name}"
        try:
            found: type[Any] = getattr(import_module(self.module), self.name)
        except (ImportError, AttributeError) as error:
            raise InputError(f"{where}: cannot be imported: {error}") from error
        lacks = [name for name in ("fit", "transform", "get_params") if not hasattr(found, name)]
        if lacks:
            raise InputError(f"{where}: expected an estimator like Eraser, it has no {lacks[0]}")
        return found


def _each(parameter: str, *values: Any) -> Grid:
    return tuple({parameter: value} for value in values)


def _adversarial(module: str, name: str, *weights: float) -> Method:
    grid = _each("adversarial_weight", *weights)
    cost = f"{_MINUTE}; recognition, by adversarial_weight, and training may swing"
    return Method(f"{_ADVERSARIAL}.{module}", name, grid, needs_torch=True, cost=cost)


METHODS: dict[str, Method] = {
    # what to compare with
    "none": Method(f"{_ERASERS}.baselines", "Unchanged", cost=f"{_SECONDS}; hides nothing"),
    "random_projection": Method(
        f"{_ERASERS}.baselines",
        "RandomProjection",
        _each("n_components", 16, 32, 64),
        cost=f"{_SECONDS}; recognition, with the features that are lost",
    ),
    # the paper's, and ours
    "sensitivenet": Method(
        "sensitivenets.sensitivenet.estimator",
        "SensitiveNet",
        needs_torch=True,
        cost=f"{_MINUTE}; a little recognition, and an attacker who whitens undoes it",
    ),
    "routed_transport": Method(
        f"{_TRANSPORT}.routed_transport",
        "RoutedTransport",
        (*_each("n_rounds", 1, 3, 6), {"n_rounds": 5, "rank": 64}),
        cost=f"{_SECONDS}; a little recognition; the fewer rows a group has, the less it holds for "
        "other people",
    ),
    "coded_transport": Method(
        f"{_TRANSPORT}.coded_transport",
        "CodedTransport",
        (
            {"n_bits": 2048, "scale": 1.5},
            {"n_bits": 2048, "scale": 1.75},
            {"n_bits": 1024, "scale": 1.5},
            {"n_bits": 512, "scale": 1.5},
        ),
        cost=f"{_SECONDS}; recognition, by n_bits and scale",
    ),
    # the same, with the moments of the table at hand
    "adapted_transport": Method(
        f"{_TRANSPORT}.routed_transport",
        "RoutedTransport",
        ({"n_rounds": 1},),
        adapts=True,
        cost=f"{_SECONDS}; a little recognition; holds for the rows at hand, less for later ones",
    ),
    "adapted_code": Method(
        f"{_TRANSPORT}.coded_transport",
        "CodedTransport",
        (
            {"n_bits": 2048, "scale": 1.5, "n_rounds": 1},
            {"n_bits": 2048, "scale": 1.75, "n_rounds": 1},
        ),
        adapts=True,
        cost=f"{_SECONDS}; recognition, by n_bits and scale; holds for the rows at hand",
    ),
    "budgeted_transport": Method(
        "sensitivenets.tradeoff.budgeted_transport",
        "BudgetedTransport",
        _each("utility_budget", 0.01, 0.02, 0.05),
        cost=f"{_MINUTES}; as much recognition as utility_budget allows",
    ),
    # codes, which blur
    "public_code": Method(
        f"{_TRANSPORT}.coded_transport",
        "PublicCode",
        _each("scale", 1.0, 1.5, 2.0),
        cost=f"{_SECONDS}; recognition, by n_bits and scale",
    ),
    # closed form
    "leace": Method(f"{_LINEAR}.leace", "LEACE", cost=_LINEAR_ONLY),
    "splince": Method(f"{_LINEAR}.splince", "SPLINCE", keeps_task=True, cost=_LINEAR_ONLY),
    "sal": Method(f"{_LINEAR}.sal", "SAL", cost=_LINEAR_ONLY),
    # linear, iterated
    "inlp": Method(f"{_LINEAR}.inlp", "INLP", cost=_LINEAR_ONLY),
    "rlace": Method(f"{_LINEAR}.rlace", "RLACE", cost=_LINEAR_ONLY),
    # features left out
    "ive": Method(f"{_LINEAR}.ive", "IVE", _each("removed", 0.25, 0.5, 0.75), cost=_LEFT_OUT),
    "multi_ive": Method(
        f"{_LINEAR}.ive", "MultiIVE", _each("removed", 0.25, 0.5, 0.75), cost=_LEFT_OUT
    ),
    # statistical dependence
    "obliviator": Method(
        f"{_DEPENDENCE}.obliviator",
        "Obliviator",
        _each("n_iterations", 2, 4, 8),
        needs_torch=True,
        cost=f"{_MINUTES}; much recognition, more in each iteration",
    ),
    "pfrnet": Method(
        f"{_DEPENDENCE}.pfrnet",
        "PFRNet",
        _each("moment_weight", 1.0, 10.0, 100.0),
        needs_torch=True,
        cost=f"{_MINUTE}; a little recognition; features are compared one by one only",
    ),
    "farm": Method(
        f"{_DEPENDENCE}.farm",
        "FaRM",
        _each("n_epochs", 5, 25, 100),
        needs_torch=True,
        cost=f"{_MINUTE}; recognition, more in each epoch",
    ),
    "kram": Method(
        f"{_DEPENDENCE}.farm",
        "KRaM",
        _each("rate_weight", 0.1, 1.0, 10.0),
        needs_torch=True,
        cost=f"{_MINUTE}; recognition, by rate_weight",
    ),
    "data_domain": Method(
        f"{_DEPENDENCE}.data_domain",
        "DataDomain",
        _each("hsic_weight", 1.0, 10.0, 100.0),
        needs_torch=True,
        cost=f"{_MINUTE}; recognition, by hsic_weight",
    ),
    # adversarial
    "gradient_reversal": _adversarial("gradient_reversal", "GradientReversal", 0.1, 1.0, 10.0),
    "blind_eye": _adversarial("blind_eye", "BlindEye", 0.1, 1.0, 10.0),
    "lnl": _adversarial("learning_not_to_learn", "LearningNotToLearn", 0.01, 0.1, 1.0),
    "laftr": _adversarial("laftr", "LAFTR", 0.1, 1.0, 10.0),
    "adversarial_debiasing": _adversarial(
        "adversarial_debiasing", "AdversarialDebiasing", 0.1, 1.0, 10.0
    ),
    "pass": _adversarial("pass_ensemble", "PASS", 0.1, 1.0, 10.0),
    # for identities: who is hidden, what is kept
    "identity_span": Method(
        f"{_LINEAR}.identity_span", "IdentitySpan", keeps_task=True, cost=_LINEAR_ONLY
    ),
    "identity_transport": Method(
        f"{_TRANSPORT}.identity_transport",
        "IdentityTransport",
        _each("n_groups", 4, 8, 16),
        keeps_task=True,
        cost=f"{_SECONDS}; what tells the people of one cluster apart stays",
    ),
    "vgan": _adversarial("vgan", "VGAN", 0.1, 1.0, 10.0),
}


def method_named(name: str) -> Method:
    """Find a method by its name, or a class of your own as ``package.module:Class``.

    Parameters
    ----------
    name : str
        A key of `METHODS`, or where an estimator lives that keeps the contract of `Eraser`.

    Returns
    -------
    Method
        Not imported yet.

    Raises
    ------
    InputError
        If the name is none of them.
    """
    module, colon, class_name = name.partition(":")
    if colon and module and class_name:
        return Method(module, class_name)
    if name not in METHODS:
        near = did_you_mean(name, METHODS)
        raise InputError(
            f"method: no method {name!r}; {near}`sensitivenets methods` lists all, "
            "package.module:Class is one of your own"
        )
    return METHODS[name]


def check_parameters(name: str, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that a method does not have.

    Parameters
    ----------
    name : str
        As for `method_named`.
    parameters : mapping of str to value
        To be given to it.

    Raises
    ------
    InputError
        Naming the parameters it has.
    """
    known = method_named(name).load()().get_params()
    for parameter in parameters:
        if parameter not in known or parameter == "random_state":
            listed = ", ".join(p for p in known if p != "random_state") or "none"
            near = did_you_mean(parameter, known)
            raise InputError(f"{name}: no parameter {parameter!r} to set; {near}it has {listed}")
