"""The first screen in words: what was removed, what was kept, what still leaks, and is it so."""

from __future__ import annotations

from dataclasses import dataclass

from sensitivenets.audit import AttributeResult, ContinuousResult, Reduction
from sensitivenets.report.not_tried import strongest_of
from sensitivenets.report.numbers import joined, of_hundred, percent, plain
from sensitivenets.report.record import AuditRecord


@dataclass(frozen=True)
class Summary:
    """The findings of an audit for a reader who will not read further.

    Attributes
    ----------
    sentence : str
        All of it in one sentence.
    removed, kept, leaks : tuple of str
        The same, one line a finding.
    trusted : bool
        Whether the measurement is valid.
    trust : str
        Why, or why not.
    """

    sentence: str
    removed: tuple[str, ...]
    kept: tuple[str, ...]
    leaks: tuple[str, ...]
    trusted: bool
    trust: str


def summarise(audit: AuditRecord) -> Summary:
    """Put an audit into words.

    Parameters
    ----------
    audit : AuditRecord
        What was found.

    Returns
    -------
    Summary
        Words only; names in them come from the user and must be escaped.
    """
    everything = audit.everything
    leaks = [_leak_line(attribute) for attribute in everything]
    leaks += [_continuous_leak(c) for c in audit.continuous]
    return Summary(
        sentence=_sentence(audit),
        removed=tuple(_removed_line(attribute) for attribute in everything),
        kept=tuple(_kept_lines(audit)),
        leaks=tuple(leaks),
        trusted=audit.trustworthy,
        trust=_trust(audit),
    )


def _sentence(audit: AuditRecord) -> str:
    finding = _finding(audit)
    if not audit.trustworthy:
        return f"Taken at face value, {finding[0].lower()}{finding[1:]}."
    return f"{finding}."


def _finding(audit: AuditRecord) -> str:
    if audit.n_features_after is None:
        return f"Audited alone, these embeddings {_leak_phrase(audit, 'let')}"
    parts = [part for part in (_removed_phrase(audit), _kept_phrase(audit)) if part]
    finding = f"The new embeddings {', '.join(parts)}, and {_leak_phrase(audit, 'still let')}"
    if audit.recognition is None:
        finding += "; what they keep was not measured"
    return finding


def _removed_phrase(audit: AuditRecord) -> str:
    readable = [a for a in audit.attributes if a.before.strongest.above_chance]
    reduced = [
        f"about {a.name} by {_share(a.reduction)}"
        for a in readable
        if a.reduction is not None and _is_reduced(a.reduction)
    ]
    rest = [f"about {a.name}" for a in readable if not _is_reduced(a.reduction)]
    phrases = []
    if reduced:
        phrases.append(f"reduce what can be inferred {joined(reduced)}")
    if rest:
        phrases.append(f"do not measurably reduce what can be inferred {joined(rest)}")
    unread = [a.name for a in audit.attributes if not a.before.strongest.above_chance]
    if unread:
        phrases.append(f"leave {joined(unread)} as unreadable as before")
    return ", ".join(phrases)


def _share(reduction: Reduction) -> str:
    return percent(min(reduction.reduction or 0.0, 1.0), 0)


def _is_reduced(reduction: Reduction | None) -> bool:
    if reduction is None or reduction.reduction is None or reduction.reduction <= 0:
        return False
    return reduction.low is None or reduction.low > 0


def _kept_phrase(audit: AuditRecord) -> str:
    if audit.collapse_after is not None and audit.collapse_after.is_constant:
        return "keep nothing, for all their rows are equal"
    kept = audit.recognition
    if kept is None or kept.after is None:
        return ""
    figures = [kept.after.value, *([] if kept.before is None else [kept.before.value])]
    name = "an equal error rate" if kept.is_eer else f"a {kept.name}"
    after, *before = [percent(1 - f if kept.is_eer else f) for f in figures]
    return f"keep {name} of {after}" + "".join(f" ({figure} before)" for figure in before)


def _leak_phrase(audit: AuditRecord, let: str) -> str:
    told = [
        f"{a.name} in {of_hundred(a.strongest.balanced_accuracy)} (a guess: {100 * a.chance:.0f})"
        for a in audit.attributes
        if a.strongest.above_chance
    ]
    predicted = [
        f"{c.name} with R² {plain(_last_r2(c))}" for c in audit.continuous if _last_r2(c) > 0
    ]
    untold = [a.name for a in audit.attributes if not a.strongest.above_chance]
    phrases = [f"{let} {strongest_of(audit)} tell {joined(told)}"] if told else []
    if predicted:
        phrases.append(f"{let} it predict {joined(predicted)}")
    if untold:
        phrases.append(f"let no attacker tried here tell {joined(untold)} better than a guess")
    return joined(phrases) if phrases else "were not attacked"


def _removed_line(attribute: AttributeResult) -> str:
    reduction = attribute.reduction
    if attribute.after is None:
        return f"{attribute.name}: nothing to compare with; one table was audited"
    if not attribute.before.strongest.above_chance:
        return f"{attribute.name}: not readable before, so nothing could be removed"
    if reduction is None or not _is_reduced(reduction):
        return f"{attribute.name}: no measurable reduction"
    ends = ""
    if reduction.low is not None and reduction.high is not None:
        ends = f" ({percent(reduction.low, 0)} to {percent(min(reduction.high, 1), 0)})"
    return f"{attribute.name}: {_share(reduction)} of what stood above a guess{ends}"


def _leak_line(attribute: AttributeResult) -> str:
    top = attribute.strongest
    if not top.above_chance:
        return (
            f"{attribute.name}: nothing above a guess was found "
            f"({percent(top.balanced_accuracy)}, where chance alone reaches "
            f"{percent(top.noise_bound)}); another attacker may find more"
        )
    return (
        f"{attribute.name}: right in {of_hundred(top.balanced_accuracy)} "
        f"({percent(top.low)} to {percent(top.high)}; a guess: {percent(attribute.chance)}), "
        f"by {top.attacker}"
    )


def _continuous_leak(result: ContinuousResult) -> str:
    last = (result.after or result.before).strongest if (result.after or result.before) else None
    if last is None or last.mae is None:
        return f"{result.name}: no attacker gave an answer"
    return (
        f"{result.name}: off by {plain(last.mae)} on average "
        f"({plain(result.mean_predictor_mae)} for who knows only the mean)"
    )


def _last_r2(result: ContinuousResult) -> float:
    seen = [b.strongest.r2 for b in (result.after or result.before, result.inverted) if b]
    return max([r2 for r2 in seen if r2 is not None], default=0.0)


def _kept_lines(audit: AuditRecord) -> list[str]:
    lines = []
    kept = audit.recognition
    if kept is None:
        lines.append(
            "whether people are still recognised was not measured: give an identity column"
        )
    else:
        sides = {"before": kept.before, "after": kept.after}
        known = [f"{percent(e.value)} {side}" for side, e in sides.items() if e is not None]
        lines.append(f"{kept.name}: {', '.join(known)}")
    return lines


def _trust(audit: AuditRecord) -> str:
    if not audit.trustworthy:
        return "; ".join(audit.reasons) or "a control failed"
    stayed = "Attackers trained on shuffled labels stayed at a guess"
    if audit.n_features_after is None:
        return stayed
    together = "" if audit.correspondence is None else ", rows of the two tables belong together"
    missed = ": what they miss in the second is not for want of trying"
    clearly = "" if audit.mode == "quick" else missed
    return f"{stayed}{together}, and the same attackers read the first table clearly{clearly}"
