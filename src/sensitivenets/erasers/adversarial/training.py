"""The loop that all adversarial erasers share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.adversarial.game import Game
from sensitivenets.erasers.adversarial.settings import AdversarialSettings, UpdateRecord
from sensitivenets.erasers.base import FitData
from sensitivenets.maps.mlp import MLP
from sensitivenets.progress import progress_bar

# Rows of D-S that the heads are tried on after each epoch.
_RECORD_ROWS = 2000


@dataclass(frozen=True)
class AdversarialEpoch:
    """What one epoch reached.

    Attributes
    ----------
    epoch : int
        Counted from 1, the warm-up included.
    warm_up : bool
        Whether encoder and heads were trained apart.
    loss, primary, hidden : float
        Means over the epoch: of what the encoder minimises, of the primary loss, and of the
        adversarial term before its weight. Each method says which term that is.
    heads : dict of str to float
        Balanced accuracy of the best head of each attribute on (at most 2 000) rows of D-S, which
        it is trained on; 1/c is chance for c classes. A fresh attacker reads more.
    """

    epoch: int
    warm_up: bool
    loss: float
    primary: float
    hidden: float
    heads: dict[str, float]


def train(
    data: FitData,
    target: Labels | None,
    settings: AdversarialSettings,
    update: Callable[[Game, Any], UpdateRecord],
    *,
    rate: Callable[[float], float],
    device: torch.device,
    verbose: bool,
) -> tuple[MLP, tuple[dict[str, Any], ...]]:
    """Train an encoder by the rule of a method.

    Parameters
    ----------
    data : FitData
        D-P, D-S, and the seed.
    target : Labels or None
        What to keep.
    settings : AdversarialSettings
        How to train.
    update : callable
        Given the game and the row numbers of a batch of D-P, moves the players once.
    rate : callable
        Given the progress from 0 to 1, returns what the learning rate is multiplied with.
    device : torch.device
        Where to train.
    verbose : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    map : MLP
        The encoder.
    curve : tuple of dict
        An `AdversarialEpoch` an epoch.
    """
    game = Game(data, target, settings, device)
    labelled = game.sensitive.labelled
    sample = np.random.default_rng(data.seed).permutation(labelled)[:_RECORD_ROWS]
    n_epochs = settings.warm_up + settings.n_epochs
    curve = []
    with progress_bar("training") if verbose else nullcontext() as show:
        for epoch in range(1, n_epochs + 1):
            game.strength = float(epoch > settings.warm_up)
            moves = []
            batches = game.batches()
            for k, rows in enumerate(batches):
                done = epoch - 1 - settings.warm_up + k / len(batches)
                game.progress = max(0.0, done / settings.n_epochs)
                game.set_rate(rate(game.progress))
                moves.append(update(game, rows))
                game.step += epoch > settings.warm_up
            record = _record(game, epoch, moves, game.strength == 0, sample)
            curve.append(asdict(record))
            if show is not None:
                show(epoch, n_epochs, _state(record))
    return game.encoder.freeze(), tuple(curve)


def _record(
    game: Game, epoch: int, moves: list[UpdateRecord], warm_up: bool, sample: np.ndarray[Any, Any]
) -> AdversarialEpoch:
    loss, primary, hidden = np.mean(moves, axis=0).tolist()
    rows = game.sensitive.take(sample)
    with torch.no_grad():
        read = game.logits(game.encoder(rows.X))
    heads = {}
    for k, (attribute, logits) in enumerate(zip(game.attributes, read, strict=True)):
        codes = rows.codes[:, k].cpu().numpy()
        known = codes >= 0
        heads[attribute.labels.name] = max(
            float(balanced_accuracy_score(codes[known], logit.argmax(dim=1).cpu().numpy()[known]))
            for logit in logits
        )
    return AdversarialEpoch(epoch, warm_up, loss, primary, hidden, heads)


def _state(record: AdversarialEpoch) -> str:
    heads = "".join(f" {name} {100 * read:.0f} %" for name, read in record.heads.items())
    return f"primary {record.primary:.2f}{heads}"
