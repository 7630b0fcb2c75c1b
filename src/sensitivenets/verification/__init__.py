"""Face and speaker verification: how well embeddings tell whether two rows show one subject.

Scores are cosine similarities everywhere: higher is more alike.
"""

from sensitivenets.verification.all_pairs import AllPairsResult, verify_all_pairs
from sensitivenets.verification.groups import GroupComparison, GroupRates, RateRatio
from sensitivenets.verification.operating_points import OperatingPoint
from sensitivenets.verification.pairs import Pairs, make_pairs, read_pairs
from sensitivenets.verification.protocols import VerificationResult, verify
from sensitivenets.verification.rates import ErrorCurve
from sensitivenets.verification.thresholds import Accuracy

__all__ = [
    "Accuracy",
    "AllPairsResult",
    "ErrorCurve",
    "GroupComparison",
    "GroupRates",
    "OperatingPoint",
    "Pairs",
    "RateRatio",
    "VerificationResult",
    "make_pairs",
    "read_pairs",
    "verify",
    "verify_all_pairs",
]
