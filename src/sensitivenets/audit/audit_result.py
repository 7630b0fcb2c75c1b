"""The whole audit as one record: attributes, continuous attributes, collapse, what was kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sensitivenets.audit.attribute_result import AttributeResult
from sensitivenets.audit.results import SCHEMA_VERSION
from sensitivenets.collapse import Collapse


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
    """What an audit found; `result_json.to_json` writes it, `from_json` reads it back.

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
    verification, fairness : dict
        Utility and equality of opportunity, as JSON values: filled by those who measure them.
    maps : dict
        The t-SNE map of a sample of rows, before and after, as JSON values (see `maps.MapPair`).
    provenance : dict
        What was audited, as JSON values: files, fingerprints, the model, the command.
    trustworthy : bool
        Whether every attribute's figures can be trusted.
    reasons : tuple of str
        Why not, each with the name of its attribute.
    notes : tuple of str
        What a reader must know: collapsed output, attackers that failed.
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
    verification: dict[str, Any] = field(default_factory=dict)
    fairness: dict[str, Any] = field(default_factory=dict)
    maps: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)
    library_version: str = ""
    schema_version: int = SCHEMA_VERSION
