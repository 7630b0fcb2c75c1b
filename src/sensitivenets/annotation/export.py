"""Labels with their provenance, as columns of a table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sensitivenets.annotation.labelling import Labelling
from sensitivenets.annotation.ledger import State
from sensitivenets.embeddings.labels import UNLABELLED


def label_columns(labelling: Labelling) -> pa.Table:
    """Write the labels as they stand as columns, and where each came from.

    Parameters
    ----------
    labelling : Labelling
        What was decided, and what the classifier proposes.

    Returns
    -------
    pyarrow.Table
        One row for each of the table. For an attribute ``gender``: ``gender`` (text, null where
        unsure or in dispute), ``gender_source`` (``human``, ``adjudicated``, ``given`` by the
        table, ``proposed`` by the classifier, ``unsure``, ``disputed``, or null for no label),
        ``gender_annotators`` (who looked at it), ``gender_confidence`` (the classifier's
        calibrated probability of the label, out of fold where it was labelled) and
        ``gender_time`` (of the last decision, UTC).
    """
    ledger, task = labelling.ledger, labelling.task
    codes = labelling.final()
    known = codes != UNLABELLED
    rows = np.arange(len(codes))
    label = pa.array(np.array(task.classes, dtype=object)[np.maximum(codes, 0)], pa.string())
    confidence = pa.nulls(len(codes), pa.float32())
    if labelling.proposals is not None:
        chosen = labelling.proposals.probabilities[rows, np.maximum(codes, 0)]
        confidence = pa.array(chosen, pa.float32(), mask=~known)
    times = [ledger.time_of(row) for row in rows.tolist()]
    people = [_annotators(labelling, row) for row in rows.tolist()]
    name = task.attribute
    return pa.table({
        name: pa.array(label.to_pylist(), pa.string(), mask=~known),
        f"{name}_source": pa.array(_sources(labelling), pa.string()),
        f"{name}_annotators": pa.array(people, pa.list_(pa.string())),
        f"{name}_confidence": confidence,
        f"{name}_time": pa.array(times, pa.string()).cast(pa.timestamp("ms", "UTC")),
    })


def _annotators(labelling: Labelling, row: int) -> list[str]:
    settled_by = labelling.ledger.settled_by(row)
    names = set(labelling.ledger.votes_of(row)) | ({settled_by} if settled_by else set())
    return sorted(names)


def _sources(labelling: Labelling) -> list[str | None]:
    ledger = labelling.ledger
    of_state = {State.DECIDED: "human", State.UNSURE: "unsure", State.DISPUTED: "disputed"}
    sources: list[str | None] = [of_state.get(State(state)) for state in ledger.states.tolist()]
    for row in np.flatnonzero(ledger.settled & (ledger.codes != UNLABELLED)).tolist():
        sources[row] = "adjudicated"
    unseen = ~ledger.seen
    for row in np.flatnonzero(unseen & (labelling.given != UNLABELLED)).tolist():
        sources[row] = "given"
    if labelling.proposals is not None:
        for row in np.flatnonzero(unseen & (labelling.given == UNLABELLED)).tolist():
            sources[row] = "proposed"
    return sources
