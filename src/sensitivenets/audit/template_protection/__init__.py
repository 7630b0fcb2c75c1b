"""Template protection in the terms of ISO/IEC 24745: what codes give away, with and without key."""

from sensitivenets.audit.template_protection.irreversibility import (
    invert_with_key,
    invert_without_key,
)
from sensitivenets.audit.template_protection.linkage import Linkage, Protection, measure_protection
from sensitivenets.audit.template_protection.scale_choice import (
    ScaleChoice,
    ScalePoint,
    choose_scale,
    far_signal,
)
from sensitivenets.audit.template_protection.unlinkability import (
    Unlinkability,
    measure_unlinkability,
)

__all__ = [
    "Linkage",
    "Protection",
    "ScaleChoice",
    "ScalePoint",
    "Unlinkability",
    "choose_scale",
    "far_signal",
    "invert_with_key",
    "invert_without_key",
    "measure_protection",
    "measure_unlinkability",
]
