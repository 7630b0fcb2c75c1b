"""Adversarial debiasing: gradients that never help the heads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.parameters import UpdateRecord
from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    from torch import Tensor

    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
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

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the negative loss of the heads.
    """

    adversarial_weight: float = 1.0
    n_head_steps: int = 5

    def _check(self) -> None:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        super()._check()

    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.trainer import gradients, set_gradients

        trainer.train_heads(self.n_head_steps)
        primary = trainer.primary_loss(rows)
        batch = trainer.sensitive.draw()
        read = trainer.head_loss(trainer.encoder(batch.X), batch.codes)
        steps = gradients(primary, trainer.encoder_parameters)
        if trainer.strength:
            weight = trainer.strength * self.adversarial_weight
            against = gradients(read, trainer.encoder_parameters)
            steps = [debiased(*both, weight) for both in zip(steps, against, strict=True)]
        set_gradients(trainer.encoder_parameters, steps)
        trainer.encoder_optimiser.step()
        loss = primary.item() - trainer.strength * self.adversarial_weight * read.item()
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
