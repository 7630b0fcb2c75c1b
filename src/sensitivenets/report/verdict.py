"""Two answers, never one: whether the measurement is valid, and how much leaks.

A leak is placed on the way from a guess to certainty, (figure - chance) / (1 - chance), by the
strongest attacker on what was protected: *none found* where it is not above what luck reaches,
*low* below a tenth of the way, *moderate* below three tenths, *high* from there on. For gender a
tenth is 55 % and three tenths are 65 %. What the average hides has a level of its own: the people
who are read most surely, a subgroup, a person of whom several templates leaked. The scale is a
convention for comparing; it says nothing about what is acceptable.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sensitivenets.audit.results import AttributeResult, BatteryResult, ContinuousResult, Headline
from sensitivenets.report.collusion import Collusion
from sensitivenets.report.record import AuditRecord

NONE, LOW, MODERATE, HIGH = LEVELS = ("none found", "low", "moderate", "high")
_MODERATE_FROM, _HIGH_FROM = 0.1, 0.3
# R2 that luck reaches: as the audit judges values.
_CLEAR_R2 = 0.02


@dataclass(frozen=True)
class Leak:
    """How much of one attribute leaks.

    Attributes
    ----------
    attribute : str
        Its name.
    level : str
        Of `LEVELS`, on average over the test rows.
    some : str
        The highest level that a closer look finds: people who are read most surely, a subgroup,
        several templates of a person.
    """

    attribute: str
    level: str
    some: str


@dataclass(frozen=True)
class Verdict:
    """What an audit says, in short.

    Attributes
    ----------
    valid : bool
        Whether the controls hold, so that the figures measure what they say.
    level : str
        The highest level of any attribute on average; ``"not known"`` if the measurement is not
        valid.
    some : str
        The highest level of any closer look, or the same.
    leaks : tuple of Leak
        Of each attribute, the joint one left out.
    quick : bool
        Whether three attackers only were tried, so that more may leak.
    """

    valid: bool
    level: str
    some: str
    leaks: tuple[Leak, ...]
    quick: bool

    @property
    def validity(self) -> str:
        """``"Measurement valid."``, or not."""
        return "Measurement valid." if self.valid else "Measurement not valid."

    @property
    def leak(self) -> str:
        """``"Leak: high."``; of a quick audit ``"Leak: at least high."``."""
        least = "at least " if self.valid and self.quick and self.level != NONE else ""
        found = " by three attackers" if self.valid and self.quick and self.level == NONE else ""
        hidden = f"; {self.some} for some people" if self.is_worse_for_some else ""
        return f"Leak: {least}{self.level}{found}{hidden}."

    @property
    def sentence(self) -> str:
        """Both, one after the other."""
        return f"{self.validity} {self.leak}"

    @property
    def is_worse_for_some(self) -> bool:
        """Whether the average hides people of whom more is read."""
        return self.valid and LEVELS.index(self.some) > LEVELS.index(self.level)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "valid": self.valid,
            "leak": self.level,
            "leak_for_some": self.some,
            "quick": self.quick,
            "sentence": self.sentence,
            "attributes": {
                leak.attribute: {"leak": leak.level, "leak_for_some": leak.some}
                for leak in self.leaks
            },
        }


def verdict_of(audit: AuditRecord) -> Verdict:
    """Judge an audit.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    Verdict
        Of the rows it is of; rows that the map had seen have one of their own.
    """
    leaks = [_of_classes(one, audit.collusion) for one in audit.attributes]
    leaks += [_of_numbers(one) for one in audit.continuous]
    quick = audit.mode == "quick"
    if not audit.trustworthy:
        return Verdict(False, "not known", "not known", tuple(leaks), quick)
    return Verdict(
        True,
        _highest(leak.level for leak in leaks),
        _highest(leak.some for leak in leaks),
        tuple(leaks),
        quick,
    )


def level_of(top: Headline, chance: float) -> str:
    """Place a headline on the scale."""
    return _level(top.balanced_accuracy, chance) if top.above_chance else NONE


def last_batteries(attribute: AttributeResult) -> tuple[BatteryResult, ...]:
    """Return what is judged: the second table, also after the map was undone, or the only one."""
    last = attribute.after or attribute.before
    return (last,) if attribute.inverted is None else (last, attribute.inverted)


def _of_classes(attribute: AttributeResult, collusion: Iterable[Collusion]) -> Leak:
    chance = attribute.chance
    together = [one.strongest for one in collusion if one.attribute == attribute.name]
    level = _highest(level_of(top, chance) for top in (attribute.strongest, *together))
    closer = [one for battery in last_batteries(attribute) for one in _closer(battery, chance)]
    return Leak(attribute.name, level, _highest([level, *closer]))


def _closer(battery: BatteryResult, chance: float) -> list[str]:
    found = [_level(c.precision, c.expected) for c in battery.confident if c.above_chance]
    found += [
        _level(d.true_positive_rate, d.false_positive_rate)
        for d in battery.detections
        if d.above_chance
    ]
    found += [level_of(several.strongest, chance) for several in battery.several_templates]
    worst = battery.worst_subgroup
    return found + ([] if worst is None else [level_of(worst.strongest, chance)])


def _of_numbers(value: ContinuousResult) -> Leak:
    sides = (value.after or value.before, value.inverted)
    r2 = max((side.strongest.r2 or 0.0 for side in sides if side is not None), default=0.0)
    level = _level(r2, 0.0) if r2 > _CLEAR_R2 else NONE
    return Leak(value.name, level, level)


def _level(value: float, chance: float) -> str:
    share = (value - chance) / (1 - chance) if chance < 1 else 0.0
    return LOW if share < _MODERATE_FROM else MODERATE if share < _HIGH_FROM else HIGH


def _highest(levels: Iterable[str]) -> str:
    return max(levels, key=LEVELS.index, default=NONE)
