"""Which candidate for this table? Each is rehearsed on labelled rows that play the table."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from sensitivenets.audit.splits import split_by_identity
from sensitivenets.embeddings import EmbeddingTable, Labels
from sensitivenets.embeddings.labels import joint
from sensitivenets.errors import DataWarning
from sensitivenets.progress import Progress, Steps
from sensitivenets.tradeoff.candidates import Candidate, candidates_for, with_codes
from sensitivenets.tradeoff.measure import TradeOff, TradeOffPoint, accuracy_of_pairs, choose
from sensitivenets.tradeoff.own_table import fitted_on, on_table
from sensitivenets.tradeoff.readers import strongest_reading
from sensitivenets.verification.drawn_pairs import draw_pairs

# Rows of each half, at most, and of them those that are attacked.
_MOST, _MOST_READ = 6000, 1500
# With fewer labelled rows, each half plays the table in turn.
_FEW = 1500
_PAIRS = 6000
# Subjects of a group without which its half would have next to none.
_FEWEST_SUBJECTS, _FEWEST_ROWS = 20, 80


def rehearse(
    reference: EmbeddingTable,
    names: Sequence[str],
    identity: str,
    budget: float,
    *,
    domain: str | None = None,
    shared_routes: bool = True,
    seed: int = 0,
    progress: Progress | None = None,
) -> TradeOff:
    """Try every candidate where labels are known, and take what leaks least within the budget.

    The reference is split by identity. One half plays the reference; the other the table, its
    labels used only to score: fitted, adapted and moved as the real table will be, then read by
    five quick readers of either sign and verified on its own pairs. Of few rows each half plays
    the table in turn.

    Parameters
    ----------
    reference : EmbeddingTable
        With the attributes and identities.
    names : sequence of str
        Attributes to hide.
    identity : str
        Column that says who a row shows.
    budget : float
        Verification accuracy that may be lost, a fraction.
    domain : str, optional
        Column of the source of a row: each has groups of its own, and nobody reads it.
    shared_routes : bool, default=True
        Whether rows of a subject are moved alike, as they are where the table's are known.
    seed : int, default=0
        Decides the halves, the readers' parts and the pairs.
    progress : Progress, optional
        Told of each candidate.

    Returns
    -------
    TradeOff
        All points. The rows at hand are fewer here than there: it is a comparison of candidates,
        not a forecast of what is read.
    """
    subject = reference.identities(identity)
    rows = _some(subject, 2 * _MOST, seed)
    halves = split_by_identity(subject.take(rows), 0.5, seed)
    first, second = reference.take(rows[halves.train]), reference.take(rows[halves.test])
    turns = [(first, second), (second, first)][: 2 if len(rows) < _FEW else 1]
    grouped = [*names, domain] if domain else list(names)
    n_groups = len(joint(reference.attributes(grouped)).classes)
    candidates = candidates_for(reference.vectors.shape[1], len(second) // n_groups)
    steps = Steps(len(candidates) + 3, progress)

    def measure(candidate: Candidate | None) -> tuple[TradeOffPoint, float]:
        plays = [
            _play(candidate, known, table, (grouped, names), identity, shared_routes, seed)
            for known, table in turns
        ]
        steps.advance("unchanged" if candidate is None else str(candidate))
        return _mean(candidate, plays, reference, names)

    measured = [measure(candidate) for candidate in (None, *candidates)]
    best = choose(measured, budget).taken
    # What is left of the budget may buy a code behind the best.
    measured += [measure(candidate) for candidate in with_codes(best)]
    return choose(measured, budget)


def why_not(reference: EmbeddingTable, names: Sequence[str], identity: str | None) -> str | None:
    """Say in words why a reference cannot be rehearsed on; None if it can."""
    if identity is None or identity not in reference.columns.column_names:
        return "the reference names no identities (--identity), so that nothing can be verified"
    subject = reference.identities(identity)
    known = subject.codes[subject.labelled]
    if len(np.unique(known)) == len(known):
        return "nobody is in the reference twice, so that nothing can be verified"
    groups = joint(reference.attributes(names))
    both = groups.labelled & subject.labelled
    pairs = np.unique(np.stack([groups.codes[both], subject.codes[both]]), axis=1)
    subjects = np.bincount(pairs[0], minlength=len(groups.classes))
    if subjects.min() < _FEWEST_SUBJECTS:
        return (
            f"the reference has {subjects.min()} subjects of {groups.classes[subjects.argmin()]}, "
            f"and {_FEWEST_SUBJECTS} are needed to split them"
        )
    rows = np.bincount(groups.codes[both], minlength=len(groups.classes))
    if rows.min() < _FEWEST_ROWS:
        return (
            f"the reference has {rows.min()} rows of {groups.classes[rows.argmin()]}, and "
            f"{_FEWEST_ROWS} are needed for two halves"
        )
    return None


def in_words(found: TradeOff) -> str:
    """Say in a line why the chosen candidate was taken."""
    chosen, n = found.chosen, len(found.points) - 1
    if chosen.candidate is None:
        return (
            f"none of {n} candidates leaks less within {100 * found.budget:g} points of "
            "verification, rehearsed on the reference; it costs least"
        )
    read = ", ".join(f"{name} {100 * value:.0f} %" for name, value in chosen.leakage.items())
    return (
        f"of {n} candidates it leaks least within {100 * found.budget:g} points of verification, "
        f"rehearsed on the reference (read: {read}; lost: {100 * chosen.loss:.1f} points)"
    )


_Play = tuple[dict[str, float], float]


def _play(
    candidate: Candidate | None,
    known: EmbeddingTable,
    table: EmbeddingTable,
    names: tuple[Sequence[str], Sequence[str]],
    identity: str,
    shared_routes: bool,
    seed: int,
) -> _Play:
    """Carry out one candidate on a pretended table; return what is read, and the accuracy."""
    grouped, hidden = names
    subject = table.identities(identity)
    Z = table.vectors
    if candidate is not None:
        with warnings.catch_warnings():
            # Doubts of the pretended table are not about the real one.
            warnings.simplefilter("ignore", DataWarning)
            model = fitted_on(known, grouped, candidate, Z, seed)
            codes = subject.codes if shared_routes else None
            Z = on_table(model, candidate, Z, codes, seed).vectors
    pairs = draw_pairs(subject, _PAIRS, 1, random_state=seed)
    read = _some(subject, _MOST_READ, seed)
    who = np.where(subject.labelled, subject.codes, len(subject.classes) + np.arange(len(table)))
    leakage = {
        name: strongest_reading(Z[read], table.labels(name).take(read), who[read], seed)
        for name in hidden
    }
    return leakage, accuracy_of_pairs(Z, pairs)


def _mean(
    candidate: Candidate | None,
    plays: Sequence[_Play],
    reference: EmbeddingTable,
    names: Sequence[str],
) -> tuple[TradeOffPoint, float]:
    leakage = {name: float(np.mean([read[name] for read, _ in plays])) for name in names}
    chance = {name: 1 / len(reference.labels(name).classes) for name in names}
    excess = np.mean([(leakage[name] - chance[name]) / (1 - chance[name]) for name in names])
    accuracy = float(np.mean([accuracy for _, accuracy in plays]))
    return TradeOffPoint(candidate, 0.0, leakage, float(excess)), accuracy


def _some(subject: Labels, n_rows: int, seed: int) -> np.ndarray:
    """Return about so many rows, whole subjects at random; all where there are fewer."""
    if len(subject) <= n_rows:
        return np.arange(len(subject))
    return split_by_identity(subject, n_rows / len(subject), seed).test
