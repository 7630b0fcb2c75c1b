"""The audit: what an honest adversary still reads from embeddings, and whether to believe it."""

from sensitivenets.audit.audits import audit, quick_audit
from sensitivenets.audit.inversion import Phi
from sensitivenets.audit.results import (
    SCHEMA_VERSION,
    AttackerResult,
    AttributeResult,
    AuditResult,
    BatteryResult,
    ContinuousResult,
    Controls,
    Curve,
    CurvePoint,
    DescriptionLength,
    Headline,
    Inversion,
    Reduction,
    RegressionResult,
    RegressorResult,
    SplitSummary,
    Threat,
)
from sensitivenets.audit.splits import (
    Split,
    split_by_column,
    split_by_identity,
    split_rows,
    without_look_alikes,
)
from sensitivenets.progress import Progress, progress_bar

__all__ = [
    "SCHEMA_VERSION",
    "AttackerResult",
    "AttributeResult",
    "AuditResult",
    "BatteryResult",
    "ContinuousResult",
    "Controls",
    "Curve",
    "CurvePoint",
    "DescriptionLength",
    "Headline",
    "Inversion",
    "Phi",
    "Progress",
    "Reduction",
    "RegressionResult",
    "RegressorResult",
    "Split",
    "SplitSummary",
    "Threat",
    "audit",
    "progress_bar",
    "quick_audit",
    "split_by_column",
    "split_by_identity",
    "split_rows",
    "without_look_alikes",
]
