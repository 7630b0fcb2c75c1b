"""Learning Not to Learn: uncertain heads, and gradient reversal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.parameters import Design, Optimiser, UpdateRecord
from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_one_of, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
class LearningNotToLearn(AdversarialEraser):
    """Train an encoder on which the attribute heads are uncertain.

    Learning Not to Learn (Kim, Kim, Kim, Kim and Kim, "Learning Not to Learn: Training Deep Neural
    Networks with Biased Data", CVPR 2019), on embeddings. Two updates a batch: (A) the encoder
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
    batch_size : int, default=128
        Rows of `X`, and of the rows with attributes, in a step.
    learning_rate : float, default=0.01
        Of both sides; a tenth of it after 40 %, and a hundredth after 80 %, of the epochs, as the
        authors have it.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the negative entropy, at least -log c for c classes.
    """

    adversarial_weight: float = 0.01
    reversal_weight: float = 0.1
    n_head_steps: int = 1
    optimiser: Optimiser = "sgd"
    batch_size: int = 128
    learning_rate: float = 0.01

    def _check(self) -> None:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_real("reversal_weight", self.reversal_weight, minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        require_one_of("optimiser", self.optimiser, ("adam", "sgd"))
        super()._check()

    def _design(self) -> Design:
        return Design(optimiser=self.optimiser)

    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import negative_entropy

        trainer.train_heads(self.n_head_steps - 1)
        primary = trainer.primary_loss(rows)
        batch = trainer.sensitive.draw()
        hidden = trainer.hiding_loss(trainer.encoder(batch.X), batch.codes, negative_entropy)
        loss = primary + trainer.strength * self.adversarial_weight * hidden
        trainer.update(encoder=loss)
        read = trainer.head_loss(trainer.encoder(batch.X), batch.codes)
        if trainer.strength * self.reversal_weight > 0:
            trainer.update(encoder=-trainer.strength * self.reversal_weight * read, heads=read)
        else:
            trainer.update(heads=read)
        return UpdateRecord(loss.item(), primary.item(), hidden.item())

    @staticmethod
    def _rate(progress: float) -> float:
        """Fall to a tenth after each 40 % of the training: the authors' epochs 40 and 80."""
        return float(0.1 ** (progress // 0.4))
