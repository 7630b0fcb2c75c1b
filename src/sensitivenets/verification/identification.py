"""Identification, one against many: who is it (closed set), and is it anybody at all (open set)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray, Labels
from sensitivenets.errors import InputError
from sensitivenets.intervals import Estimate, draw_subjects, percentile_interval, rate_interval
from sensitivenets.verification.pairs import IntArray
from sensitivenets.verification.subject_rows import SubjectRows

#: False positive identification rates at which the open set is measured.
FPIR_TARGETS = (0.01, 0.1)
_DRAWS = 200


@dataclass(frozen=True)
class OpenSet:
    """Search for people of whom some are not enrolled.

    Attributes
    ----------
    fpir : float
        False positive identification rate that the threshold was set for: share of searches of
        people who are not enrolled that return somebody.
    tpir : Estimate or None
        Share of searches of enrolled people that return them first and above the threshold;
        higher is better recognised. None where fewer than 1 / `fpir` searches are of others.
    """

    fpir: float
    tpir: Estimate | None


@dataclass(frozen=True)
class Identification:
    """How well people are found among others by their embeddings.

    Attributes
    ----------
    rank_1 : Estimate
        Closed set: share of searches whose best match is the same person.
    chance : float
        What `rank_1` is where embeddings say nothing: 1 / people enrolled.
    n_enrolled, n_searches : int
        People in the gallery, one row each, and searches among them.
    open_set : tuple of OpenSet
        With half of the people enrolled, by false positive identification rate.
    """

    rank_1: Estimate
    chance: float
    n_enrolled: int
    n_searches: int
    open_set: tuple[OpenSet, ...]


def identify(
    vectors: FloatArray,
    subject: Labels,
    *,
    enrolled: FloatArray | None = None,
    fpir_targets: Sequence[float] = FPIR_TARGETS,
    random_state: int = 0,
) -> Identification:
    """Search every person with several rows in a gallery of one row each.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        Embeddings that are searched with, and enrolled unless `enrolled` is given; compared by
        their cosine.
    subject : Labels
        Identity of each row; unlabelled rows are left out.
    enrolled : ndarray of shape (n, d), optional
        Embeddings of the same rows as they are enrolled, such as those of an old table. A search
        is never with the row that is enrolled.
    fpir_targets : sequence of float, default=(0.01, 0.1)
        False positive identification rates of the open set.
    random_state : int, default=0
        Decides which row of a person is enrolled, who is enrolled in the open set, and the draws
        of people behind the intervals.

    Returns
    -------
    Identification

    Raises
    ------
    InputError
        If fewer than four people have two rows.
    """
    known = np.where(subject.labelled, subject.codes, -1)
    rng = np.random.default_rng(random_state)
    order = rng.permutation(len(known))
    gallery, probes, who = _gallery(known, order)
    if len(gallery) < 4:
        raise InputError(
            f"identity {subject.name!r}: expected at least four people with two rows, found "
            f"{len(gallery)}; nobody can be searched for"
        )
    scores = _unit(vectors, probes) @ _unit(vectors if enrolled is None else enrolled, gallery).T
    found = scores.argmax(axis=1)
    rank_1 = _of_people(found == who, who, len(gallery), random_state)
    half = rng.random(len(gallery)) < 0.5
    half[:2] = (True, False)
    return Identification(
        rank_1=rank_1,
        chance=1 / len(gallery),
        n_enrolled=len(gallery),
        n_searches=len(probes),
        open_set=tuple(_open_set(scores, who, half, fpir, random_state) for fpir in fpir_targets),
    )


def _gallery(codes: IntArray, order: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return a row of each person to enrol, the rows to search with, and their place in it."""
    ordered = order[np.argsort(codes[order], kind="stable")]
    ordered = ordered[np.searchsorted(codes[ordered], 0) :]
    _, first, place, counts = np.unique(
        codes[ordered], return_index=True, return_inverse=True, return_counts=True
    )
    several = counts > 1
    probe = several[place]
    probe[first] = False
    position = np.cumsum(several) - 1
    return ordered[first[several]], ordered[probe], position[place[probe]]


def _unit(vectors: FloatArray, rows: IntArray) -> FloatArray:
    # A row of a person each: the order of `SubjectRows` is the order given.
    return SubjectRows.of(vectors[rows], np.arange(len(rows))).unit


def _open_set(
    scores: FloatArray,
    who: IntArray,
    half: npt.NDArray[np.bool_],
    fpir: float,
    random_state: int,
) -> OpenSet:
    among = scores[:, half]
    best, enrolled = among.max(axis=1), half[who]
    others = np.sort(best[~enrolled])
    if len(others) * fpir < 1:
        return OpenSet(fpir, None)
    threshold = others[len(others) - int(len(others) * fpir)]
    right = np.flatnonzero(half)[among.argmax(axis=1)] == who
    hits = (right & (best > threshold))[enrolled]
    return OpenSet(fpir, _of_people(hits, who[enrolled], len(half), random_state))


def _of_people(
    hits: npt.NDArray[np.bool_], who: IntArray, n_people: int, random_state: int
) -> Estimate:
    """Share of searches that hit, with an interval over draws of people."""
    totals = np.bincount(who, minlength=n_people)
    right = np.bincount(who, weights=hits, minlength=n_people)
    people = np.flatnonzero(totals)
    drawn = np.stack(list(draw_subjects(len(people), _DRAWS, random_state)))
    shares = (drawn @ right[people]) / (drawn @ totals[people])
    value = float(hits.mean())
    ends = rate_interval(value, *percentile_interval(shares), len(people))
    return Estimate(value, *ends, len(hits))
