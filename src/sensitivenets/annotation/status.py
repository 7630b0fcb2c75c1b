"""How far the labelling is: what the head of the page shows."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from sensitivenets.annotation.labelling import Labelling
from sensitivenets.annotation.ledger import State


def status(labelling: Labelling, annotator: str) -> dict[str, Any]:
    """Count, estimate and compare.

    Parameters
    ----------
    labelling : Labelling
        What is labelled.
    annotator : str
        Who asks.

    Returns
    -------
    dict
        ``checked``, ``unsure``, ``disputed`` and ``by_class`` in rows; ``waiting`` rows by queue;
        ``decisions`` by annotator; ``error`` (see `LabelError`); ``round``; ``agreement`` (see
        `Agreement`); ``classifier``.
    """
    ledger, task = labelling.ledger, labelling.task
    error = labelling.label_error()
    final = labelling.final()
    counts = np.bincount(final[final >= 0], minlength=len(task.classes)).tolist()
    return {
        "rows": task.n_rows,
        "checked": int(ledger.seen.sum()),
        "unsure": int((ledger.states == State.UNSURE).sum()),
        "disputed": int((ledger.states == State.DISPUTED).sum()),
        "by_class": dict(zip(task.classes, counts, strict=True)),
        "waiting": labelling.sizes(annotator),
        "decisions": ledger.n_decisions(),
        "mine": ledger.n_decisions().get(annotator, 0),
        "error": None if error is None else asdict(error),
        "round": {"number": ledger.rounds + 1, "population": int(ledger.population.sum())},
        "agreement": [asdict(one) for one in labelling.agreements()],
        "classifier": _classifier(labelling),
    }


def _classifier(labelling: Labelling) -> dict[str, Any]:
    proposals = labelling.proposals
    return {
        "training": labelling.trainer.training,
        "failed": labelling.trainer.error,
        "version": -1 if proposals is None else proposals.events_seen,
        "n_labelled": 0 if proposals is None else proposals.n_labelled,
        "accuracy": None if proposals is None else asdict(proposals.accuracy),
    }
