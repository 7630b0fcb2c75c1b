"""Turning a Blind Eye: the encoder makes the heads answer uniformly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.settings import AdversarialSettings, UpdateRecord
from sensitivenets.erasers.neural.trained import Loss
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.game import Game
    from sensitivenets.erasers.neural.primary import IntArray


class BlindEye(AdversarialEraser):
    """Train an encoder on which the attribute heads answer uniformly.

    Turning a Blind Eye (Alvi, Zisserman and Nellåker, "Turning a Blind Eye: Explicit Removal of
    Biases and Variation from Deep Neural Network Embeddings", ECCV Workshops 2018), on embeddings.
    In turn: the heads learn to read the attributes from the features as they are; then, with the
    heads fixed, the encoder minimises its primary loss plus the confusion loss, the cross-entropy
    of what the heads answer to the uniform distribution. Unlike the heads' own loss, turned round,
    confusion is bounded: the encoder gains nothing by misleading a head.

    Several attributes: a head each, and the mean of their confusion losses. Attributes may come
    from other rows than `X` (`detector`), as in the original.

    Parameters
    ----------
    adversarial_weight : float, default=0.1
        alpha: weight of the confusion loss, as in the original.
    n_head_steps : int, default=5
        Batches that the heads learn from for each one of the encoder. One is the
        original; with few, heads may not keep up and the encoder only misleads them.
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
        the confusion loss, at least log c for c classes.
    """

    def __init__(
        self,
        *,
        adversarial_weight: float = 0.1,
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
        from sensitivenets.erasers.adversarial.losses import confusion

        game.train_heads(self.n_head_steps)
        primary = game.primary_loss(rows)
        batch = game.sensitive.draw()
        hidden = game.hiding_loss(game.encoder(batch.X), batch.codes, confusion)
        loss = primary + game.strength * self.adversarial_weight * hidden
        game.play(keepers=loss)
        return UpdateRecord(loss.item(), primary.item(), hidden.item())
