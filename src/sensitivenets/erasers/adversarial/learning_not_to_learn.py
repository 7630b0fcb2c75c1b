"""Learning Not to Learn: uncertain heads, and gradient reversal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.settings import AdversarialSettings, Optimiser, UpdateRecord
from sensitivenets.erasers.neural.trained import Loss
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.game import Game
    from sensitivenets.erasers.neural.primary import IntArray


class LearningNotToLearn(AdversarialEraser):
    """Train an encoder on which the attribute heads are uncertain.

    Learning Not to Learn (Kim, Kim, Kim, Kim and Kim, "Learning Not to Learn: Training Deep Neural
    Networks with Biased Data", CVPR 2019), on embeddings. Two moves a batch: (A) the encoder
    minimises its primary loss plus the negative entropy of what the heads answer, which bounds the
    mutual information of features and attribute, the heads fixed; (B) the heads descend their
    cross-entropy and the encoder climbs it, by gradient reversal. The authors call the training
    unstable and start from trained networks: see `warm_up`.

    Several attributes: a head each, and the means of their entropies and losses.

    Parameters
    ----------
    adversarial_weight : float, default=0.01
        lambda: weight of the negative entropy, as in the authors' code.
    reversal_weight : float, default=0.1
        eta: weight of the reversed gradient, as in the authors' code. A short training
        may want a larger one, and more head steps.
    n_head_steps : int, default=1
        Batches that the heads learn from for each one of the encoder, as in the authors' code; with
        more of them the heads keep up with the encoder, and are harder to mislead.
    optimiser : {"sgd", "adam"}, default="sgd"
        Of both sides; ``"sgd"`` has momentum 0.9 and weight decay 5e-4, as in the authors' code.
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
    batch_size : int, default=128
        Rows of `X`, and of the rows with attributes, in a step.
    learning_rate : float, default=0.01
        Of both sides; a tenth of it after 40 %, and a hundredth after 80 %, of the epochs, as the
        authors have it.
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
        the negative entropy, at least -log c for c classes.
    """

    def __init__(
        self,
        *,
        adversarial_weight: float = 0.01,
        reversal_weight: float = 0.1,
        n_head_steps: int = 1,
        optimiser: Optimiser = "sgd",
        loss: Loss = "triplet",
        margin: float = 0.2,
        n_units: int | None = None,
        n_hidden: int = 1024,
        n_head_units: int = 128,
        normalise: bool = True,
        n_epochs: int = 30,
        warm_up: int = 1,
        batch_size: int = 128,
        learning_rate: float = 0.01,
        device: str | None = None,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.adversarial_weight = adversarial_weight
        self.reversal_weight = reversal_weight
        self.n_head_steps = n_head_steps
        self.optimiser = optimiser
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
        require_real("reversal_weight", self.reversal_weight, minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        return super()._settings(optimiser=self.optimiser, **needs)

    def _update(self, game: Game, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import negative_entropy

        game.train_heads(self.n_head_steps - 1)
        primary = game.primary_loss(rows)
        batch = game.sensitive.draw()
        hidden = game.hiding_loss(game.encoder(batch.X), batch.codes, negative_entropy)
        loss = primary + game.strength * self.adversarial_weight * hidden
        game.play(keepers=loss)
        read = game.head_loss(game.encoder(batch.X), batch.codes)
        if game.strength * self.reversal_weight > 0:
            game.play(keepers=-game.strength * self.reversal_weight * read, readers=read)
        else:
            game.play(readers=read)
        return UpdateRecord(loss.item(), primary.item(), hidden.item())

    @staticmethod
    def _rate(progress: float) -> float:
        """Fall to a tenth after each 40 % of the training: the authors' epochs 40 and 80."""
        return float(0.1 ** (progress // 0.4))
