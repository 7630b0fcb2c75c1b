"""What an audit found: frozen records that the report and the pictures are drawn from.

Every record maps to one JSON object of the same field names (see `result_json`). Figures are
fractions in [0, 1]; an undefined one is None in Python and null in JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class AttackerResult:
    """One attacker on one preparation of one representation.

    Attributes
    ----------
    attacker : str
        Name, such as ``"RBF-SVM"``.
    preparation : str
        What was done to the embeddings first: ``"raw"``, ``"l2"``, ``"standardised"``,
        ``"whitened"``, or ``"none"`` for an attacker that does not look at them.
    balanced_accuracy : float or None
        Mean recall of the classes on the test rows, in [0, 1]; higher means that more leaks.
        None if the attacker failed: `notes` says why.
    low, high : float or None
        95 % interval, bootstrap over the test identities.
    auc : float or None
        Area under the ROC curve, one class against the rest, mean over the classes, in [0, 1].
    n : int
        Test rows.
    validation : float or None
        Balanced accuracy on held-out identities among the training rows, by which the parameters
        were chosen.
    parameters : dict
        The parameters chosen.
    notes : tuple of str
        What went wrong or was left out: failure, no convergence, a subsample.
    """

    attacker: str
    preparation: str
    balanced_accuracy: float | None
    low: float | None
    high: float | None
    auc: float | None
    n: int
    validation: float | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headline:
    """The strongest attacker of a battery, with an interval that knows that it was the strongest.

    The value is the largest test balanced accuracy of the battery. Taking the largest flatters the
    attacker, never the protection. The interval is half of a simultaneous band: in 95 of 100
    bootstrap draws of the test identities no attacker of the battery strays further from its value
    than this, so the largest does not either (White, "A reality check for data snooping",
    Econometrica 2000).

    Attributes
    ----------
    attacker, preparation : str
        Which one it was.
    balanced_accuracy : float
        In [0, 1]; higher means that more leaks.
    low, high : float
        95 % interval.
    n : int
        Test rows.
    noise_bound : float
        What the strongest of this battery reaches in 99 of 100 draws if its predictions have
        nothing to do with the labels (test labels permuted between identities).
    above_chance : bool
        Whether the value lies above `noise_bound`: something leaks.
    """

    attacker: str
    preparation: str
    balanced_accuracy: float
    low: float
    high: float
    n: int
    noise_bound: float
    above_chance: bool


@dataclass(frozen=True)
class CurvePoint:
    """One point of a curve.

    Attributes
    ----------
    x : float
        Labels the attacker had, or share of features removed in [0, 1].
    balanced_accuracy : float
        Mean over the seeds, in [0, 1].
    low, high : float
        95 % interval of that mean: over identities and seeds together.
    n : int
        Test rows times seeds.
    """

    x: float
    balanced_accuracy: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Curve:
    """How an attacker's figure moves with what it is given.

    Attributes
    ----------
    attacker : str
        Which attacker, and on which preparation.
    x_label : str
        What `x` counts: ``"labels"`` or ``"share of features removed"``.
    points : tuple of CurvePoint
        In ascending order of `x`.
    """

    attacker: str
    x_label: str
    points: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class DescriptionLength:
    """Minimum description length of the labels given the embeddings, by an online code.

    Attributes
    ----------
    attacker : str
        The attacker that codes the labels.
    bits_per_row : float
        Code length over rows; lower means that the labels are easier to read.
    uniform_bits_per_row : float
        log2 of the number of classes: the code that knows nothing.
    prior_bits_per_row : float
        The same online code from class shares alone, without the embeddings.
    n : int
        Rows coded.
    """

    attacker: str
    bits_per_row: float
    uniform_bits_per_row: float
    prior_bits_per_row: float
    n: int


@dataclass(frozen=True)
class BatteryResult:
    """All attackers on one representation.

    Attributes
    ----------
    representation : str
        ``"before"``, ``"after"``, ``"inverted"``, ``"random projection"`` or ``"shuffled labels"``.
    strongest : Headline
        The strongest by test balanced accuracy.
    selected : AttackerResult or None
        The one with the best validation figure: its test figure is free of selection. None if
        no attacker could be validated.
    attackers : tuple of AttackerResult
        Every attacker, the majority class first, failures included.
    notes : tuple of str
        What is peculiar about the representation: constant, rank-deficient.
    learning_curve, removal_curve : Curve or None
        Balanced accuracy against labels, and against features removed (Fig. 3).
    description_length : DescriptionLength or None
        Bits per row.
    """

    representation: str
    strongest: Headline
    selected: AttackerResult | None
    attackers: tuple[AttackerResult, ...]
    notes: tuple[str, ...] = ()
    learning_curve: Curve | None = None
    removal_curve: Curve | None = None
    description_length: DescriptionLength | None = None
