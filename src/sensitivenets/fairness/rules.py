"""Discriminatory rules: in which contexts a group is denied more often than everybody there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import Labels
from sensitivenets.errors import InputError, require_int

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DiscriminatoryRule:
    """A rule "group, context -> decision", and how much the group matters in it.

    Attributes
    ----------
    context : tuple of str
        ``column = value``, all of which hold; empty is everybody.
    n_group, n_context : int
        Rows of the group in the context, and all rows in the context.
    confidence, base_confidence : float
        Share of the group, and of everybody in the context, that gets the decision; in [0, 1].
    extended_lift : float
        Their quotient; 1 is no difference, above 1 the group gets the decision more often.
    low, high : float
        Ends of the interval of the extended lift, simultaneous over all contexts examined.
    selection_lift : float
        Confidence among the group over that among the others of the context; None if no other gets
        the decision.
    """

    context: tuple[str, ...]
    n_group: int
    n_context: int
    confidence: float
    base_confidence: float
    extended_lift: float
    low: float
    high: float
    selection_lift: float | None


@dataclass(frozen=True)
class RuleSearch:
    """What was examined, and the rules that were found.

    Attributes
    ----------
    group, decision : str
        ``gender = Male`` and ``decision = no``: who is denied what.
    rules : tuple of DiscriminatoryRule
        Every context examined, by the lower end of its extended lift, largest first.
    """

    group: str
    decision: str
    rules: tuple[DiscriminatoryRule, ...]

    def certain(self, alpha: float = 1.0) -> tuple[DiscriminatoryRule, ...]:
        """Return the rules whose extended lift is above `alpha` beyond chance."""
        return tuple(rule for rule in self.rules if rule.low > alpha)


def discriminatory_rules(
    decision: Labels,
    denied: str,
    sensitive: Labels,
    group: str,
    contexts: Mapping[str, Labels],
    *,
    max_items: int = 2,
    min_rows: int = 30,
    confidence: float = 0.95,
) -> RuleSearch:
    """Find contexts in which a group is denied more often than everybody in the same context.

    Extended lift (Pedreshi et al., KDD 2008) with bounds (SDM 2009). With the share w of the group
    in a context, the extended lift is s / (w s + 1 - w) of the selection lift s, the quotient of
    two independent proportions; Katz' interval of log s is carried over. Bounds hold for all
    contexts at once (Bonferroni), so that the worst of many contexts may be looked at. Rows count
    as independent: several rows of one person make the bounds too narrow.

    Parameters
    ----------
    decision : Labels
        What was decided on each row.
    denied : str
        The decision of interest, such as the refusal.
    sensitive : Labels
        Attribute of each row.
    group : str
        The group that may be discriminated.
    contexts : mapping of str to Labels
        Columns whose values make contexts; unlabelled rows are in none of a column.
    max_items : int, default=2
        Columns in a context at most.
    min_rows : int, default=30
        Rows of the group, and of the others, that a context must have.
    confidence : float, default=0.95
        Of all bounds together.

    Returns
    -------
    RuleSearch

    Raises
    ------
    InputError
        If a class does not exist, a length differs, or no context has enough rows.

    References
    ----------
    Pedreshi, Ruggieri and Turini, Discrimination-aware data mining, KDD 2008; Measuring
    discrimination in socially-sensitive decision records, SDM 2009.
    """
    require_int("max_items", max_items, minimum=0)
    require_int("min_rows", min_rows, minimum=1)
    if not 0.5 <= confidence < 1:
        raise InputError(
            f"confidence: expected a share of at least 0.5 and below 1, found {confidence}"
        )
    for labels in (sensitive, *contexts.values()):
        if len(labels) != len(decision):
            raise InputError(
                f"column {labels.name!r}: expected {len(decision)} rows, one for each decision, "
                f"found {len(labels)}"
            )
    known = decision.labelled & sensitive.labelled
    is_denied, is_group = _is(decision, denied), _is(sensitive, group)
    found = []
    for context, rows in _contexts(contexts, known, max_items):
        ours, others = is_denied[rows & is_group], is_denied[rows & ~is_group]
        if min(len(ours), len(others)) >= min_rows and is_denied[rows].any():
            found.append((context, ours, others))
    if not found:
        raise InputError(
            f"expected a context with {min_rows} rows of {group!r} and as many others, and a row "
            f"with {denied!r}, found none; lower min_rows or give more rows"
        )
    level = (1 - confidence) / len(found)
    rules = (_rule(context, ours, others, level) for context, ours, others in found)
    return RuleSearch(
        group=f"{sensitive.name} = {group}",
        decision=f"{decision.name} = {denied}",
        rules=tuple(sorted(rules, key=lambda rule: rule.low, reverse=True)),
    )


def _is(labels: Labels, name: str) -> Mask:
    if name not in labels.classes:
        raise InputError(
            f"column {labels.name!r}: no class {name!r}; its classes are "
            f"{', '.join(map(repr, labels.classes))}"
        )
    return np.asarray(labels.codes == labels.classes.index(name))


def _contexts(
    columns: Mapping[str, Labels], known: Mask, max_items: int
) -> Iterator[tuple[tuple[str, ...], Mask]]:
    """Give each combination of values of at most so many columns, with the rows it holds for."""
    items = [
        (column, f"{column} = {name}", labels.codes == code)
        for column, labels in columns.items()
        for code, name in enumerate(labels.classes)
    ]
    for size in range(max_items + 1):
        for chosen in combinations(items, size):
            if len({column for column, _, _ in chosen}) == size:
                masks = [mask for _, _, mask in chosen]
                yield tuple(text for _, text, _ in chosen), np.all([known, *masks], axis=0)


def _rule(context: tuple[str, ...], ours: Mask, others: Mask, level: float) -> DiscriminatoryRule:
    share = len(ours) / (len(ours) + len(others))
    both = np.concatenate([ours, others])
    low, high = (_extended(s, share) for s in _selection_bounds(ours, others, level))
    rate, base, theirs = float(ours.mean()), float(both.mean()), float(others.mean())
    return DiscriminatoryRule(
        context=context,
        n_group=len(ours),
        n_context=len(both),
        confidence=rate,
        base_confidence=base,
        extended_lift=rate / base,
        low=low,
        high=high,
        selection_lift=rate / theirs if theirs else None,
    )


def _extended(selection_lift: float, share: float) -> float:
    """Return the extended lift of a selection lift, in a context where the group has that share."""
    return selection_lift / (share * selection_lift + 1 - share)


def _selection_bounds(ours: Mask, others: Mask, level: float) -> tuple[float, float]:
    """Katz' interval of a quotient of proportions; half a row is added where a count is zero."""
    from scipy.stats import norm

    some = 0.0 if ours.any() and others.any() else 0.5
    a, n = ours.sum() + some, len(ours) + some
    b, m = others.sum() + some, len(others) + some
    reach = float(norm.ppf(1 - level / 2)) * np.sqrt(1 / a - 1 / n + 1 / b - 1 / m)
    lift = np.log(a / n) - np.log(b / m)
    return float(np.exp(lift - reach)), float(np.exp(lift + reach))
