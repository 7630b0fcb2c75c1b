"""The committee: the best attackers of a battery vote together, as any adversary could let them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sensitivenets.audit.scores import balanced_accuracy
from sensitivenets.audit.trials import Task, Trial
from sensitivenets.embeddings import FloatArray

COMMITTEE = "committee"
_MEMBERS = 5


def committee(trials: Sequence[Trial], task: Task) -> Trial | None:
    """Average the scores of the five attackers with the best validation figures.

    Attackers of one kind on several preparations count once: their errors are the same.

    Parameters
    ----------
    trials : sequence of Trial
        A battery.
    task : Task
        What was read.

    Returns
    -------
    Trial or None
        None if fewer than two attackers could be validated.
    """
    best: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda trial: -(trial.validation or 0.0)):
        if trial.scores is not None and trial.validation_scores is not None:
            best.setdefault(trial.attacker, trial)
    members = list(best.values())[:_MEMBERS]
    if len(members) < 2:
        return None
    scores = _average([member.scores for member in members])
    held_out = _average([member.validation_scores for member in members])
    validation = balanced_accuracy(task.y[task.validate], held_out.argmax(axis=1))
    names = [f"{member.attacker}, {member.preparation}" for member in members]
    return Trial(
        COMMITTEE,
        "several",
        scores,
        scores.argmax(axis=1),
        validation,
        held_out,
        {"members": names},
    )


def _average(scores: Sequence[FloatArray | None]) -> FloatArray:
    """Mean of log-posterior-like scores in units of their own spread; ties stay at zero."""
    total = 0.0
    for member in scores:
        assert member is not None
        centred = member - member.mean(axis=1, keepdims=True)
        total = total + centred / max(float(centred.std()), 1e-12)
    return np.asarray(total) / len(scores)
