"""Adversarial debiasing: gradients that never help the heads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.settings import AdversarialSettings, UpdateRecord
from sensitivenets.erasers.neural.trained import Loss
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    from torch import Tensor

    from sensitivenets.erasers.adversarial.game import Game
    from sensitivenets.erasers.neural.primary import IntArray


class AdversarialDebiasing(AdversarialEraser):
    """Train an encoder whose every step is made useless to the attribute heads.

    Adversarial debiasing (Zhang, Lemoine and Mitchell, "Mitigating Unwanted Biases with Adversarial
    Learning", AIES 2018), carried over from predictions to a representation: the heads read the
    encoder's output. From the gradient of the primary loss, the part along the gradient of the
    heads' loss is taken out, so that the primary task never teaches the heads anything; then a
    multiple of the heads' gradient is subtracted, which drives their loss up. The projection is
    within each weight matrix and bias, by the inner product of all their entries.

    Several attributes: a head each, and the mean of their losses.

    Parameters
    ----------
    adversarial_weight : float, default=1.0
        alpha: multiple of the heads' gradient. AIF360 has 0.1 and fairlearn 1, beside a
        cross-entropy. With 0 the projection alone remains.
    n_head_steps : int, default=5
        Batches that the heads learn from for each one of the encoder; one in the original.
    loss : {"triplet", "cross_entropy"}, default="triplet"
        What the encoder must keep. ``"triplet"``: telling identities apart, by the hardest
        negative in a batch of pairs. ``"cross_entropy"``: a softmax layer over the classes, or
        identities, in `y`.
    margin : float, default=0.2
        Of the triplet loss, on squared distances of unit rows, as in SensitiveNets and FaceNet.
    n_units : int, optional
        Features of the output; as many as the input has, unless given.
    n_hidden : int, default=1024
        ReLU units between input and output; 0 is a linear encoder. With twice the input's features
        or more, training starts from the embeddings as they are.
    n_head_units : int, default=128
        Hidden units of an attribute head; 0 is a linear head.
    normalise : bool, default=True
        Whether output rows have unit length; heads read them so.
    n_epochs : int, default=30
        Passes over `X` while encoder and heads are coupled.
    warm_up : int, default=1
        Passes before that, in which the encoder learns its task alone and the heads learn to read
        it; without it the first heads say nothing.
    batch_size : int, default=256
        Rows of `X`, and of the rows with attributes, in a step.
    learning_rate : float, default=1e-3
        Of Adam, for both sides.
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    verbose : bool, default=False
        Show a progress bar on stderr.
    random_state : int, RandomState or None, default=None
        Decides everything random; the same int gives the same bits on the same machine with the
        same number of threads.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the negative loss of the heads.
    """

    def __init__(
        self,
        *,
        adversarial_weight: float = 1.0,
        n_head_steps: int = 5,
        loss: Loss = "triplet",
        margin: float = 0.2,
        n_units: int | None = None,
        n_hidden: int = 1024,
        n_head_units: int = 128,
        normalise: bool = True,
        n_epochs: int = 30,
        warm_up: int = 1,
        batch_size: int = 256,
        learning_rate: float = 1e-3,
        device: str | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.adversarial_weight = adversarial_weight
        self.n_head_steps = n_head_steps
        self.loss = loss
        self.margin = margin
        self.n_units = n_units
        self.n_hidden = n_hidden
        self.n_head_units = n_head_units
        self.normalise = normalise
        self.n_epochs = n_epochs
        self.warm_up = warm_up
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _settings(self, **needs: Any) -> AdversarialSettings:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        return super()._settings(**needs)

    def _update(self, game: Game, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.game import gradients, set_gradients

        game.train_heads(self.n_head_steps)
        primary = game.primary_loss(rows)
        batch = game.sensitive.draw()
        read = game.head_loss(game.encoder(batch.X), batch.codes)
        steps = gradients(primary, game.keepers)
        if game.strength:
            weight = game.strength * self.adversarial_weight
            against = gradients(read, game.keepers)
            steps = [debiased(*both, weight) for both in zip(steps, against, strict=True)]
        set_gradients(game.keepers, steps)
        game.keeper_optimiser.step()
        loss = primary.item() - game.strength * self.adversarial_weight * read.item()
        return UpdateRecord(loss, primary.item(), -read.item())


def debiased(primary: Tensor | None, adversary: Tensor | None, weight: float) -> Tensor | None:
    """Compute g_y - <g_y, u> u - weight g_a with u = g_a / |g_a|, of one tensor of parameters.

    Parameters
    ----------
    primary, adversary : Tensor or None
        g_y and g_a: gradients of the primary loss and of the heads' loss; None is zero.
    weight : float
        alpha.

    Returns
    -------
    Tensor or None
        What to descend along.
    """
    if primary is None or adversary is None:
        return primary if adversary is None else -weight * adversary
    square = adversary.square().sum()
    along = (primary * adversary).sum() / square if square > 0 else square
    return primary - (along + weight) * adversary
