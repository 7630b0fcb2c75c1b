"""The table at the end of an audit: what was kept and what still leaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensitivenets.cli.output import percent, print_line, print_table

if TYPE_CHECKING:
    from sensitivenets.audit import AttributeResult, AuditResult, RegressionResult

_CHANCE_OF_A_PAIR = 0.5


def print_audit(result: AuditResult) -> None:
    """Write one line for recognition and each attribute, and whether to believe them."""
    rows = _recognition(result.verification)
    joint = [] if result.joint is None else [result.joint]
    rows += [_attribute(attribute) for attribute in (*result.attributes, *joint)]
    two = result.n_features_after is not None
    header = ["", "before", "after", "reduction", "random"] if two else ["", "table", "random"]
    print_table(header, rows if two else [[row[0], row[1], row[4]] for row in rows])
    for value in result.continuous:
        sides = {"before": value.before, "after": value.after}
        found = [f"{_continuous(side)} {when}" for when, side in sides.items() if side is not None]
        print_line(f"{value.name}: {', '.join(found)}")
    print_line(
        "Attributes: balanced accuracy of the strongest attacker, fitted on each table anew."
    )
    if result.verification:
        print_line(f"Recognition: {_figure(result.verification)}.")
    if result.trustworthy:
        print_line("The controls hold: these figures can be trusted.")
    else:
        print_line("These figures cannot be trusted:")
        for reason in result.reasons:
            print_line(f"  {reason}")


def _attribute(result: AttributeResult) -> list[str]:
    before = percent(result.before.strongest.balanced_accuracy)
    after = "" if result.after is None else percent(result.strongest.balanced_accuracy)
    gone = None if result.reduction is None else result.reduction.reduction
    return [result.name, before, after, _optional(gone), percent(result.chance)]


def _recognition(verification: dict[str, Any]) -> list[list[str]]:
    sides = [verification.get(side) for side in ("before", "after")]
    values = [None if side is None else _share_right(side) for side in sides]
    if values[0] is None:
        return []
    lost = None
    if values[1] is not None and values[0] > _CHANCE_OF_A_PAIR:
        lost = (values[0] - values[1]) / (values[0] - _CHANCE_OF_A_PAIR)
    chance = percent(_CHANCE_OF_A_PAIR)
    return [["recognition", percent(values[0]), _optional(values[1]), _optional(lost), chance]]


def _share_right(verification: dict[str, Any]) -> float:
    """Verification accuracy, or 1 - EER where all pairs were compared."""
    if "accuracy" in verification:
        return float(verification["accuracy"]["value"])
    return 1 - float(verification["eer"]["value"])


def _figure(verification: dict[str, Any]) -> str:
    measured = verification.get("before") or verification.get("after") or {}
    if "accuracy" in measured:
        return f"share of {measured['n_genuine'] + measured['n_impostor']} pairs decided rightly"
    return "one minus the equal error rate over all pairs"


def _optional(value: float | None) -> str:
    return "" if value is None else percent(value)


def _continuous(result: RegressionResult) -> str:
    if result.strongest.r2 is None:
        return "not measured"
    return f"R2 {result.strongest.r2:.2f} ({result.strongest.attacker})"
