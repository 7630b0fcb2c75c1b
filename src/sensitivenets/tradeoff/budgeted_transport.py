"""The dial: spend at most so much verification, and leak as little as that allows."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from sensitivenets.audit.splits import split_by_identity, split_rows
from sensitivenets.erasers.base import Eraser, FitData, Learned
from sensitivenets.erasers.baselines import unchanged
from sensitivenets.erasers.transport.adaptable import Adaptable
from sensitivenets.erasers.transport.routed_transport import RoutedTransport
from sensitivenets.errors import BudgetWarning, InputError, require_int, require_real
from sensitivenets.maps.base import FittedMap
from sensitivenets.maps.chain import Chain
from sensitivenets.progress import Progress, Steps, progress_bar
from sensitivenets.tradeoff.candidates import CANDIDATES, Candidate
from sensitivenets.tradeoff.measure import HeldOut, TradeOff, TradeOffPoint, choose, measure_point
from sensitivenets.verification.drawn_pairs import draw_pairs

_HELD_OUT = 0.35
_TESTED = 0.3


class BudgetedTransport(Adaptable, Eraser):
    """Remove attributes as far as a budget of verification accuracy allows.

    Candidates, more or fewer rounds of `RoutedTransport` with or without a universal code after
    them, are fitted on a part of the data, attacked on another part by the attackers of the quick
    audit, and verified on pairs of it. The one that leaks least within the budget is fitted again
    on everything. No row of an audit or a test is needed, or looked at.

    Parameters
    ----------
    utility_budget : float, default=0.02
        Verification accuracy that may be lost on pairs of the fit data, a fraction: 0.01 is one
        point. A harder set of faces loses more than an easy one.
    candidates : sequence of Candidate, optional
        What to try; `CANDIDATES` unless given.
    n_pairs : int, default=6000
        Pairs to verify, half of them genuine.
    n_attack_rows : int, default=6000
        Rows, at most, that are attacked or train attackers. With more, attackers read more.
    verbose : bool, default=False
        Whether to show progress on standard error.
    random_state : int, RandomState or None, default=None
        Decides who is held out, the pairs, the attackers and the code.

    Attributes
    ----------
    model_ : Model
        The fitted map; its curve lists all candidates.
    trade_off_ : TradeOff
        The privacy-utility front and the point taken.

    Examples
    --------
    >>> from sensitivenets.datasets.synthetic import synthetic_diveface
    >>> table = synthetic_diveface(n_subjects=400, images_per_subject=3, dim=32, random_state=0)
    >>> eraser = BudgetedTransport(0.05, candidates=[Candidate(1), Candidate(2)], random_state=0)
    >>> eraser = eraser.fit(
    ...     table.vectors, table.column("subject"), sensitive={"gender": table.column("gender")}
    ... )
    >>> eraser.trade_off_.chosen.loss <= 0.05
    True
    """

    def __init__(
        self,
        utility_budget: float = 0.02,
        *,
        candidates: Sequence[Candidate] | None = None,
        n_pairs: int = 6000,
        n_attack_rows: int = 6000,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.utility_budget = utility_budget
        self.candidates = candidates
        self.n_pairs = n_pairs
        self.n_attack_rows = n_attack_rows
        self.verbose = verbose
        self.random_state = random_state

    def _learn(self, data: FitData) -> Learned:
        candidates = self._check()
        data.require_target("BudgetedTransport", "identity")
        part, held_out = _hold_out(data, self.n_pairs, self.n_attack_rows)
        with progress_bar("budget") if self.verbose else nullcontext() as progress:
            measured = _measured(candidates, part, held_out, progress)
        self.trade_off_: TradeOff = choose(measured, self.utility_budget)
        chosen = self.trade_off_.chosen.candidate
        if chosen is None:
            least = min(p.loss for p in self.trade_off_.points if p.candidate is not None)
            warnings.warn(
                f"utility_budget: no candidate leaks less within {self.utility_budget:g}; the "
                f"smallest loss is {least:.4f}; embeddings are left as they are",
                BudgetWarning,
                stacklevel=3,
            )
            return replace(unchanged(data.X.shape[1]), curve=self.trade_off_.curve())
        rounds, first = _rounds(data, chosen.n_rounds)
        phi = chosen.map(rounds, data.X_sensitive, data.seed)
        # What the transport says of itself stands beside the first candidate.
        taken, *others = self.trade_off_.curve()
        return Learned(phi, (dict(taken) | dict(first), *others))

    def _check(self) -> tuple[Candidate, ...]:
        require_real("utility_budget", self.utility_budget, minimum=0, maximum=1)
        require_int("n_pairs", self.n_pairs, minimum=2)
        require_int("n_attack_rows", self.n_attack_rows, minimum=2)
        candidates = tuple(CANDIDATES if self.candidates is None else self.candidates)
        if not candidates:
            raise InputError("candidates: expected at least one, found none")
        other = [candidate for candidate in candidates if not candidate.is_rounds]
        if other:
            raise InputError(
                f"candidates: expected rounds, with or without a code, found {str(other[0])!r}; "
                "what keeps components, moves a few directions or means only is for protect"
            )
        return candidates


def _measured(
    candidates: tuple[Candidate, ...], part: FitData, held_out: HeldOut, progress: Progress | None
) -> list[tuple[TradeOffPoint, float]]:
    """Measure the embeddings as they are, then each candidate."""
    rounds, _ = _rounds(part, max(candidate.n_rounds for candidate in candidates))
    steps = Steps(len(candidates) + 1, progress)
    measured = [measure_point(None, None, held_out, part.seed)]
    steps.advance("unchanged")
    for candidate in candidates:
        phi = candidate.map(rounds, part.X_sensitive, part.seed)
        measured.append(measure_point(candidate, phi, held_out, part.seed))
        steps.advance(str(candidate))
    return measured


def _rounds(data: FitData, n_rounds: int) -> tuple[tuple[FittedMap, ...], Mapping[str, Any]]:
    """Return the rounds of a transport, and the record of the first."""
    learned = RoutedTransport(n_rounds=n_rounds)._learn(data)
    assert isinstance(learned.map, Chain)
    return learned.map.parts, learned.curve[0]


def _hold_out(data: FitData, n_pairs: int, n_attack_rows: int) -> tuple[FitData, HeldOut]:
    """Keep rows back: identities where they are known, else rows of D-S."""
    target = data.require_target("BudgetedTransport", "identity")
    if data.X_sensitive is data.X:
        kept = split_by_identity(target, _HELD_OUT, data.seed)
        faces, subjects = data.X[kept.test], target.take(kept.test)
    else:
        kept = split_rows(len(data.X_sensitive), _HELD_OUT, data.seed)
        faces, subjects = data.X, target
    rows = np.random.default_rng(data.seed).permutation(kept.test)[:n_attack_rows]
    if kept.groups is None:
        attack = split_rows(len(rows), _TESTED, data.seed)
    else:
        attack = split_by_identity(target.take(rows), _TESTED, data.seed)
    held_out = HeldOut(
        data.X_sensitive[rows],
        {name: labels.take(rows) for name, labels in data.attributes.items()},
        attack,
        faces,
        draw_pairs(subjects, n_pairs, 1, random_state=data.seed),
    )
    return _only(data, kept.train), held_out


def _only(data: FitData, rows: npt.NDArray[np.int64]) -> FitData:
    """Return these rows of D-S: all that the transport learns from."""
    attributes = {name: labels.take(rows) for name, labels in data.attributes.items()}
    return replace(data, X_sensitive=data.X_sensitive[rows], attributes=attributes)
