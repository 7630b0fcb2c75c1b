"""How figures are written for people: fractions as percent, intervals in brackets."""

from __future__ import annotations

# A number and its unit stay on one line.
_SPACE = "\N{NO-BREAK SPACE}"
MISSING = "–"


def percent(value: float | None, decimals: int = 1) -> str:
    """Write a fraction as percent: 0.618 is ``61.8 %``; None is a dash."""
    if value is None:
        return MISSING
    return f"{100 * value:.{decimals}f}{_SPACE}%".replace("-", "−")


def points(value: float | None) -> str:
    """Write a difference of fractions as signed percentage points: ``+6.1``."""
    return MISSING if value is None else f"{100 * value:+.1f}".replace("-", "−")


def interval(low: float | None, high: float | None, scale: float = 100) -> str:
    """Write a 95 % interval of fractions: ``[59.5, 64.0]``; empty if it is not known."""
    if low is None or high is None:
        return ""
    text = f"[{scale * low:.1f},{_SPACE}{scale * high:.1f}]"
    return text.replace("-", "−")


def of_hundred(value: float) -> str:
    """Write a share as cases: 0.618 is ``62 of 100 cases``."""
    return f"{100 * value:.0f} of 100 cases"


def count(value: int | float | None) -> str:
    """Write a count with thin gaps: ``10 800``."""
    if value is None:
        return MISSING
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plain(value: float | None, decimals: int = 2) -> str:
    """Write a number as it is."""
    return MISSING if value is None else f"{value:.{decimals}f}".replace("-", "−")


def joined(parts: list[str]) -> str:
    """Join phrases: ``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
