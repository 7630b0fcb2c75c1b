"""Turning a Blind Eye: the encoder makes the heads answer uniformly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.parameters import UpdateRecord
from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
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

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the confusion loss, at least log c for c classes.
    """

    adversarial_weight: float = 0.1
    n_head_steps: int = 5

    def _check(self) -> None:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        super()._check()

    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import confusion

        trainer.train_heads(self.n_head_steps)
        primary = trainer.primary_loss(rows)
        batch = trainer.sensitive.draw()
        hidden = trainer.hiding_loss(trainer.encoder(batch.X), batch.codes, confusion)
        loss = primary + trainer.strength * self.adversarial_weight * hidden
        trainer.update(encoder=loss)
        return UpdateRecord(loss.item(), primary.item(), hidden.item())
