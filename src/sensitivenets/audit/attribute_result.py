"""What an audit found about one attribute: before, after, against which threats, with controls."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.audit.results import BatteryResult, Headline


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
