"""Gradient reversal: the encoder climbs where the heads descend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.settings import AdversarialSettings, UpdateRecord
from sensitivenets.erasers.neural.trained import Loss
from sensitivenets.errors import require_int, require_one_of, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.game import Game
    from sensitivenets.erasers.neural.primary import IntArray


class GradientReversal(AdversarialEraser):
    """Train an encoder that increases the loss of the attribute heads while they decrease it.

    Gradient reversal (Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016),
    with an attribute in the place of the domain (Raff and Sylvester, "Gradient Reversal against
    Discrimination", DSAA 2018), on embeddings. Both sides move at once: heads descend their
    cross-entropy, and its gradient goes on to the encoder with its sign turned round and a weight.
    That loss has no upper bound, so that an encoder may swing from misleading a head one way to
    misleading it the other way; more head steps and a smaller weight help.

    Several attributes: a head each, and the mean of their losses.

    Parameters
    ----------
    adversarial_weight : float, default=1.0
        lambda: weight of the reversed gradient. 1 in the original, beside a cross-entropy.
    schedule : {"ramp", "constant"}, default="ramp"
        ``"ramp"``: the weight grows from 0 as 2 / (1 + exp(-10 p)) - 1 with the progress p from 0
        to 1, as in Ganin et al.; ``"constant"`` is Raff and Sylvester's.
    n_head_steps : int, default=5
        Batches that the heads learn from for each one of the encoder; one is the original, which
        is less stable.
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
        schedule: Literal["ramp", "constant"] = "ramp",
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
        self.schedule = schedule
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
        require_one_of("schedule", self.schedule, ("ramp", "constant"))
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        return super()._settings(**needs)

    def _update(self, game: Game, rows: IntArray | None) -> UpdateRecord:
        game.train_heads(self.n_head_steps - 1)
        primary = game.primary_loss(rows)
        batch = game.sensitive.draw()
        read = game.head_loss(game.encoder(batch.X), batch.codes)
        ramp = np.tanh(5 * game.progress) if self.schedule == "ramp" else 1.0
        loss = primary - game.strength * float(ramp) * self.adversarial_weight * read
        game.play(keepers=loss, readers=read)
        return UpdateRecord(loss.item(), primary.item(), -read.item())
