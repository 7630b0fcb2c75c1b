"""PASS: an ensemble of discriminators, trained one at a time."""

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


class PASS(AdversarialEraser):
    """Train an encoder on which the strongest of several discriminators answers uniformly.

    Protected attribute suppression system (Dhar, Gleason, Roy, Castillo and Chellappa, "PASS:
    Protected Attribute Suppression System for Mitigating Bias in Face Recognition", ICCV 2021). The
    encoder minimises its primary loss plus the largest of the discriminators' confusion losses (the
    cross-entropy of their answers to the uniform distribution). After some batches one
    discriminator learns anew to read the attribute, each in its turn, until it can; from time to
    time all of them start afresh, so that none may grow blind.

    Several attributes: as many discriminators for each, and the mean of their largest losses, as
    in the paper's MultiPASS, which adds them up.

    Parameters
    ----------
    adversarial_weight : float, default=1.0
        lambda: weight of the confusion loss. The authors have 10, beside a cross-entropy over
        identities, which is far larger than a triplet loss.
    n_discriminators : int, default=5
        K: discriminators of each attribute, as in the authors' template.
    encoder_steps : int, default=10
        Batches of the encoder in one turn. The authors' 120 batches have 40 rows.
    discriminator_steps : int, default=50
        Batches, at most, of the discriminator whose turn it is (1 200 in the authors' code).
    stop_accuracy : float, default=0.9
        Share of the rows of a batch that ends a discriminator's turn when it reads them right.
    restart_interval : int, default=30
        Turns after which all discriminators start afresh, as in the authors' code.
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
        Of Adam, for the encoder. The authors have 1e-4, in some 700 000 steps.
    head_learning_rate : float, default=3e-3
        Of Adam, for the discriminators; 1e-3 in the authors' code. They must learn faster than the
        encoder, or it only misleads them.
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
        the largest confusion loss, at least log c for c classes.
    """

    def __init__(
        self,
        *,
        adversarial_weight: float = 1.0,
        n_discriminators: int = 5,
        encoder_steps: int = 10,
        discriminator_steps: int = 50,
        stop_accuracy: float = 0.9,
        restart_interval: int = 30,
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
        head_learning_rate: float = 3e-3,
        device: str | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.adversarial_weight = adversarial_weight
        self.n_discriminators = n_discriminators
        self.encoder_steps = encoder_steps
        self.discriminator_steps = discriminator_steps
        self.stop_accuracy = stop_accuracy
        self.restart_interval = restart_interval
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
        self.head_learning_rate = head_learning_rate
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _settings(self, **needs: Any) -> AdversarialSettings:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_real("stop_accuracy", self.stop_accuracy, above=0, maximum=1)
        for name in (
            "n_discriminators",
            "encoder_steps",
            "discriminator_steps",
            "restart_interval",
        ):
            require_int(name, getattr(self, name), minimum=1)
        return super()._settings(
            head_learning_rate=self.head_learning_rate,
            n_heads=self.n_discriminators,
            head_activation="selu",
            **needs,
        )

    def _update(self, game: Game, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import confusion

        turn, step_of_turn = divmod(game.step, self.encoder_steps)
        if not game.strength:
            game.train_heads(1)
        elif step_of_turn == 0:
            self._discriminators_move(game, turn)
        primary = game.primary_loss(rows)
        batch = game.sensitive.draw()
        hidden = game.hiding_loss(game.encoder(batch.X), batch.codes, confusion)
        loss = primary + game.strength * self.adversarial_weight * hidden
        game.play(keepers=loss)
        return UpdateRecord(loss.item(), primary.item(), hidden.item())

    def _discriminators_move(self, game: Game, turn: int) -> None:
        if turn % self.restart_interval == 0:
            game.restart_heads()
            game.train_heads(self.discriminator_steps)
            return
        heads = [turn % self.n_discriminators]
        for _ in range(self.discriminator_steps):
            game.train_heads(1, heads=heads)
            if game.accuracy(heads[0]) >= self.stop_accuracy:
                return
