"""The quick audit: Table I, with the paper's three attackers on standardised embeddings."""

from __future__ import annotations

from collections.abc import Mapping

from sensitivenets.audit.audit_result import AuditResult
from sensitivenets.audit.plan import quick_plan
from sensitivenets.audit.session import run_session
from sensitivenets.audit.splits import Split
from sensitivenets.embeddings import EmbeddingTable, FloatArray
from sensitivenets.labels import Labels
from sensitivenets.progress import Progress


def quick_audit(
    before: EmbeddingTable | FloatArray,
    after: EmbeddingTable | FloatArray | None,
    attributes: Mapping[str, Labels],
    *,
    split: Split,
    random_state: int = 0,
    n_jobs: int = 2,
    progress: Progress | None = None,
) -> AuditResult:
    """Ask whether the attackers of Table I still read the attributes: NN, SVM and RF.

    Parameters
    ----------
    before : EmbeddingTable or ndarray of shape (n, d)
        The embeddings as they were, or the only ones.
    after : EmbeddingTable or ndarray of shape (n, k), or None
        The same rows after the map.
    attributes : mapping of str to Labels
        Categorical attributes of the n rows; unlabelled rows are left out.
    split : Split
        Training and test rows of the attackers, identity-disjoint.
    random_state : int
        The seed; the same seed gives the same result.
    n_jobs : int
        Processes; each uses one thread.
    progress : Progress, optional
        Told of each step.

    Returns
    -------
    AuditResult
        With ``mode`` "quick".

    Raises
    ------
    InputError
        If the tables and labels differ in rows, or a training or test class is empty.
    """
    return run_session(
        before,
        after,
        attributes,
        plan=quick_plan(),
        split=split,
        random_state=random_state,
        n_jobs=n_jobs,
        progress=progress,
    )
