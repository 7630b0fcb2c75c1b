"""What an audit found: frozen records that the report and the pictures are drawn from.

Every record maps to one JSON object of the same field names (see `serialisation`). Figures are
fractions in [0, 1]; an undefined one is None in Python and null in JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sensitivenets.embeddings.collapse import Collapse

SCHEMA_VERSION = 4

#: Tables that batteries are run on.
BEFORE, AFTER, INVERTED = "before", "after", "inverted"
#: Controls that batteries are run as.
SHUFFLED, PROJECTED = "shuffled labels", "random projection"
#: Attackers that every battery has on top: guesses that look at no embedding, and the vote of the
#: best.
MAJORITY, MEAN, VOTING_ENSEMBLE = "majority class", "mean predictor", "voting ensemble"


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
class ConfidentSubset:
    """How right an attacker is about the people it is surest of; each counts once.

    Attributes
    ----------
    attacker, preparation : str
        The one least likely to be that right by luck.
    share : float
        Of the test people, in (0, 1].
    n : int
        How many that are.
    precision : float
        Share of them read right, in [0, 1]; higher means that more leaks.
    low, high : float
        Exact 95 % interval (Clopper and Pearson) of this attacker.
    expected : float
        What the same answers would reach if they had nothing to do with the labels.
    above_chance : bool
        Whether luck reaches this in less than one audit of a hundred, for all attackers and shares
        together.
    """

    attacker: str
    preparation: str
    share: float
    n: int
    precision: float
    low: float
    high: float
    expected: float
    above_chance: bool


@dataclass(frozen=True)
class Detection:
    """How many people of a class are found with few false alarms; each counts once.

    Attributes
    ----------
    attacker, preparation : str
        The one least likely to find as many by luck.
    detected : str
        The class.
    false_positive_rate : float
        Share of the people of other classes that may be taken for it.
    true_positive_rate : float
        Share of its people that are found, in [0, 1]; higher means that more leaks.
    low, high : float
        Exact 95 % interval (Clopper and Pearson) of this attacker.
    n : int
        People of the class.
    above_chance : bool
        Whether luck reaches this in less than one audit of a hundred, for all attackers, classes
        and rates together.
    """

    attacker: str
    preparation: str
    detected: str
    false_positive_rate: float
    true_positive_rate: float
    low: float
    high: float
    n: int
    above_chance: bool


@dataclass(frozen=True)
class SeveralTemplates:
    """What is read of people of whom several rows are known to belong together.

    Attributes
    ----------
    templates : int or None
        Rows of a person whose scores are added; None for all, of those who have two or more.
    strongest : Headline
        The strongest attacker; `n` counts people who have that many test rows.
    """

    templates: int | None
    strongest: Headline


@dataclass(frozen=True)
class Subgroup:
    """What is read of one subgroup of the test rows.

    Attributes
    ----------
    column, value : str
        Which: the rows where another column has this value.
    strongest : Headline
        The strongest attacker among them.
    """

    column: str
    value: str
    strongest: Headline


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
    confident : tuple of ConfidentSubset
        The 1, 5 and 10 % of people that are read most surely.
    detections : tuple of Detection
        At false positive rates of 0.01 and 0.001, where the people are enough.
    several_templates : tuple of SeveralTemplates
        From 1, 2, 5 and all rows of a person; empty if no person has several test rows.
    worst_subgroup : Subgroup or None
        The one that is read best; None if no subgroup is large enough.
    """

    representation: str
    strongest: Headline
    selected: AttackerResult | None
    attackers: tuple[AttackerResult, ...]
    notes: tuple[str, ...] = ()
    learning_curve: Curve | None = None
    removal_curve: Curve | None = None
    description_length: DescriptionLength | None = None
    confident: tuple[ConfidentSubset, ...] = ()
    detections: tuple[Detection, ...] = ()
    several_templates: tuple[SeveralTemplates, ...] = ()
    worst_subgroup: Subgroup | None = None


@dataclass(frozen=True)
class Reduction:
    """Table I: how much of what stood above chance is gone.

    Attributes
    ----------
    attacker : str
        Name of the attacker, or ``"strongest"``.
    before, after, chance : float
        Balanced accuracies in [0, 1].
    reduction : float or None
        (before - after) / (before - chance): 1 is all, 0 nothing, negative a gain for the
        attacker. None where `before` is not above chance.
    low, high : float or None
        95 % interval, bootstrap over the same test identities before and after.
    """

    attacker: str
    before: float
    after: float
    chance: float
    reduction: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Threat:
    """What an adversary of one kind achieves.

    Attributes
    ----------
    name : str
        ``"map secret"``: sees embeddings of people with known labels, after the map, and no more.
        ``"map public"``: can also push any rows through the map, and learn to undo it.
    strongest : Headline
        The strongest attacker this adversary has.
    reduction : Reduction or None
        Against the strongest attacker before.
    """

    name: str
    strongest: Headline
    reduction: Reduction | None


@dataclass(frozen=True)
class Controls:
    """What must hold for the attack figures to mean anything.

    Attributes
    ----------
    majority_share : float
        Share of the commonest class among the test rows: plain accuracy without looking.
    shuffled : BatteryResult
        Attackers trained on shuffled labels of the first representation: must be at chance.
    shuffled_at_chance : bool
        Whether they were. If not, the audit is broken.
    raw_above_chance : bool
        Whether the strongest attacker reads the attribute from the first representation, clearly.
        If not, the attackers are too weak, or nothing was there to remove.
    random_projection : BatteryResult or None
        Attackers on a random projection of the first representation to the rank of the second:
        what a loss of capacity alone would have done.
    """

    majority_share: float
    shuffled: BatteryResult
    shuffled_at_chance: bool
    raw_above_chance: bool
    random_projection: BatteryResult | None = None


@dataclass(frozen=True)
class AttributeResult:
    """One attribute, before and after.

    Attributes
    ----------
    name : str
        Such as ``"gender"``; the joint attribute is ``"gender x ethnicity"``.
    kind : str
        ``"binary"`` or ``"multi-class"``.
    classes : tuple of str
        Class names.
    train_counts, test_counts : tuple of int
        Labelled rows of each class.
    chance : float
        Balanced accuracy of a guess: one over the number of classes.
    before : BatteryResult
        On the first table, or on the only one.
    after : BatteryResult or None
        On the second table.
    inverted : BatteryResult or None
        On what the inversion attack recovered.
    strongest : Headline
        What still leaks: the strongest attacker on the last table, the inversion included.
    reduction : Reduction or None
        From the strongest before to `strongest`.
    reductions : tuple of Reduction
        Of each attacker (its best preparation), as in Table I.
    threats : tuple of Threat
        The two adversaries.
    controls : Controls
        See there.
    trustworthy : bool
        Whether the figures can be trusted.
    reasons : tuple of str
        Why not; empty if trustworthy.
    notes : tuple of str
        Classes left out, no validation.
    """

    name: str
    kind: str
    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    chance: float
    before: BatteryResult
    after: BatteryResult | None
    inverted: BatteryResult | None
    strongest: Headline
    reduction: Reduction | None
    reductions: tuple[Reduction, ...]
    threats: tuple[Threat, ...]
    controls: Controls
    trustworthy: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegressorResult:
    """One attacker on a continuous attribute.

    Attributes
    ----------
    attacker, preparation : str
        As in `AttackerResult`.
    r2 : float or None
        Coefficient of determination on the test rows: 1 is perfect, 0 the mean, negative worse.
    low, high : float or None
        95 % interval of `r2`, bootstrap over the test identities.
    mae : float or None
        Mean absolute error, in units of the attribute; lower means that more leaks.
    n : int
        Test rows.
    validation : float or None
        R2 on held-out identities among the training rows.
    notes : tuple of str
        Failures and subsamples.
    """

    attacker: str
    preparation: str
    r2: float | None
    low: float | None
    high: float | None
    mae: float | None
    n: int
    validation: float | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RegressionResult:
    """All attackers of a continuous attribute on one representation.

    Attributes
    ----------
    representation : str
        ``"before"``, ``"after"``, ``"inverted"`` or ``"shuffled labels"``.
    strongest : RegressorResult
        The one with the largest test R2.
    attackers : tuple of RegressorResult
        Every attacker, the mean predictor first.
    """

    representation: str
    strongest: RegressorResult
    attackers: tuple[RegressorResult, ...]


@dataclass(frozen=True)
class ContinuousResult:
    """One continuous attribute, such as age, before and after.

    Attributes
    ----------
    name : str
        Name of the attribute.
    n_train, n_test : int
        Labelled rows.
    mean_predictor_mae : float
        Mean absolute error of predicting the mean of the training rows.
    before, after, inverted : RegressionResult or None
        On the first table, on the second, and on what the inversion attack recovered.
    shuffled : RegressionResult
        Control: trained on shuffled values; its R2 must not be above zero.
    reduction : float or None
        1 - R2 after / R2 before of the strongest attackers; None where `before` reads nothing.
    trustworthy : bool
        Whether the figures can be trusted.
    reasons : tuple of str
        Why not.
    """

    name: str
    n_train: int
    n_test: int
    mean_predictor_mae: float
    before: RegressionResult
    after: RegressionResult | None
    inverted: RegressionResult | None
    shuffled: RegressionResult
    reduction: float | None
    trustworthy: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inversion:
    """How well the map was undone.

    Attributes
    ----------
    inverter : str
        What was trained to undo it.
    cosine : float
        Mean cosine between the recovered and the true embeddings of the test rows; 1 is perfect.
    chance_cosine : float
        The same for a guess that is the mean embedding.
    r2 : float
        Share of the variance recovered; 1 is perfect.
    n_fit, n_test : int
        Rows pushed through the map to train on, and rows recovered.
    notes : tuple of str
        Time limits reached, failures.
    """

    inverter: str
    cosine: float
    chance_cosine: float
    r2: float
    n_fit: int
    n_test: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SplitSummary:
    """Who trained the attackers and who was attacked.

    Attributes
    ----------
    n_train, n_test : int
        Rows.
    n_train_identities, n_test_identities : int
        Identities; no identity is on both sides.
    identified : bool
        Whether identities were known. If not, each row counts as its own.
    """

    n_train: int
    n_test: int
    n_train_identities: int
    n_test_identities: int
    identified: bool


@dataclass(frozen=True)
class AuditResult:
    """What the attackers found; `report` puts the evidence beside it and writes both.

    Attributes
    ----------
    mode : str
        ``"quick"`` (the three attackers of Table I) or ``"full"``.
    random_state : int
        The seed; the same seed and data give the same result.
    split : SplitSummary
        Training and test rows.
    n_features_before, n_features_after : int or None
        Width of the tables; None for a table that was not given.
    attributes : tuple of AttributeResult
        One for each categorical attribute.
    joint : AttributeResult or None
        The categorical attributes crossed, if there are several.
    continuous : tuple of ContinuousResult
        One for each continuous attribute.
    collapse_before, collapse_after : Collapse or None
        Rank, spread and distinct rows of the two tables.
    inversion : Inversion or None
        How well the map was undone, if it was given.
    trustworthy : bool
        Whether every attribute's figures can be trusted.
    reasons : tuple of str
        Why not, each with the name of its attribute.
    notes : tuple of str
        What a reader must know: collapsed output, attackers that failed.
    left_out : tuple of str
        What was not run to stay within a budget of time.
    library_version : str
        Version of sensitivenets that made it.
    schema_version : int
        Version of these fields.
    """

    mode: str
    random_state: int
    split: SplitSummary
    n_features_before: int | None
    n_features_after: int | None
    attributes: tuple[AttributeResult, ...]
    joint: AttributeResult | None
    continuous: tuple[ContinuousResult, ...]
    collapse_before: Collapse | None
    collapse_after: Collapse | None
    inversion: Inversion | None
    trustworthy: bool
    reasons: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    library_version: str = ""
    schema_version: int = SCHEMA_VERSION
