"""The loop that all adversarial erasers share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from sklearn.metrics import balanced_accuracy_score

from sensitivenets.erasers.adversarial.parameters import UpdateRecord
from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
from sensitivenets.erasers.neural.primary import IntArray
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
    trainer: AdversarialTrainer,
    update: Callable[[AdversarialTrainer, IntArray | None], UpdateRecord],
    *,
    n_epochs: int,
    warm_up: int,
    rate: Callable[[float], float],
    seed: int,
    verbose: bool,
) -> tuple[dict[str, Any], ...]:
    """Train an encoder by the rule of a method.

    Parameters
    ----------
    trainer : AdversarialTrainer
        Encoder, heads and data; its encoder is trained in place.
    update : callable
        Given the trainer and the row numbers of a batch of D-P, updates encoder and heads once.
    n_epochs, warm_up : int
        Epochs in which encoder and heads are coupled, and before that.
    rate : callable
        Given the progress from 0 to 1, returns what the learning rate is multiplied with.
    seed : int
        Decides on which rows of D-S the heads are tried.
    verbose : bool
        Whether to show a progress bar on stderr.

    Returns
    -------
    tuple of dict
        An `AdversarialEpoch` an epoch.
    """
    sample = np.random.default_rng(seed).permutation(trainer.sensitive.labelled)[:_RECORD_ROWS]
    total = warm_up + n_epochs
    curve = []
    with progress_bar("training") if verbose else nullcontext() as show:
        for epoch in range(1, total + 1):
            trainer.strength = float(epoch > warm_up)
            updates = []
            batches = trainer.batches()
            for k, rows in enumerate(batches):
                done = epoch - 1 - warm_up + k / len(batches)
                trainer.progress = max(0.0, done / n_epochs)
                trainer.set_rate(rate(trainer.progress))
                updates.append(update(trainer, rows))
                trainer.n_updates += epoch > warm_up
            record = _record(trainer, epoch, updates, trainer.strength == 0, sample)
            curve.append(asdict(record))
            if show is not None:
                show(epoch, total, _state(record))
    return tuple(curve)


def _record(
    trainer: AdversarialTrainer,
    epoch: int,
    updates: list[UpdateRecord],
    warm_up: bool,
    sample: IntArray,
) -> AdversarialEpoch:
    loss, primary, hidden = np.mean(updates, axis=0).tolist()
    rows = trainer.sensitive.take(sample)
    with torch.no_grad():
        read = trainer.logits(trainer.encoder(rows.X))
    heads = {}
    for k, (attribute, logits) in enumerate(zip(trainer.attributes, read, strict=True)):
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
