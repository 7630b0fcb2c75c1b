"""LAFTR: adversarially fair and transferable representations."""

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


class LAFTR(AdversarialEraser):
    """Train an encoder from which a decoder rebuilds the embedding, and heads read no attribute.

    Learned adversarially fair and transferable representations (Madras, Creager, Pitassi and Zemel,
    ICML 2018), for demographic parity, on embeddings. In turn: encoder, decoder and classifier
    minimise their losses minus that of the heads; the heads minimise theirs. The decoder is given
    the attributes beside the features, so that features need not hold them. In the heads' loss
    classes weigh the same, however many rows they have, as in the paper.

    Several attributes: a head each, and the mean of their losses; the decoder is given all of them.
    Without `y` the encoder keeps what the decoder needs and nothing else.

    Parameters
    ----------
    adversarial_weight : float, default=1.0
        gamma: weight of the heads' loss. The paper sweeps it.
    reconstruction_weight : float, default=1.0
        Weight of the squared distance of rebuilt to true embedding, relative to the mean square
        length of embeddings. The released code has the mean square of features instead.
    primary_weight : float, default=1.0
        Weight of the loss on `y`.
    head_loss : {"cross_entropy", "l1"}, default="cross_entropy"
        What the heads minimise, with classes weighing the same: the cross-entropy, or the paper's
        absolute error, at most 1. Heads that are sure and wrong have no gradient of the second.
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
        the negative loss of the heads; `primary` holds
        both the loss on `y` and the reconstruction.
    """

    _needs_target = False

    def __init__(
        self,
        *,
        adversarial_weight: float = 1.0,
        reconstruction_weight: float = 1.0,
        primary_weight: float = 1.0,
        head_loss: Literal["cross_entropy", "l1"] = "cross_entropy",
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
        self.reconstruction_weight = reconstruction_weight
        self.primary_weight = primary_weight
        self.head_loss = head_loss
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
        for name in ("adversarial_weight", "reconstruction_weight", "primary_weight"):
            require_real(name, getattr(self, name), minimum=0)
        require_one_of("head_loss", self.head_loss, ("cross_entropy", "l1"))
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        return super()._settings(reconstruct=True, **needs)

    def _update(self, game: Game, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import (
            balanced_absolute_error,
            balanced_cross_entropy,
        )

        error = balanced_absolute_error if self.head_loss == "l1" else balanced_cross_entropy
        batch = game.sensitive.draw()
        features = game.encoder(batch.X)
        primary = self.primary_weight * game.primary_loss(rows)
        primary = primary + self.reconstruction_weight * game.reconstruction_loss(features, batch)
        read = game.head_loss(features, batch.codes, error)
        loss = primary - game.strength * self.adversarial_weight * read
        game.play(keepers=loss)
        game.train_heads(self.n_head_steps, error)
        return UpdateRecord(loss.item(), primary.item(), -read.item())
