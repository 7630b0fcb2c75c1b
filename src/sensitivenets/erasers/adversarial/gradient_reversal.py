"""Gradient reversal: the encoder climbs where the heads descend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.parameters import UpdateRecord
from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_one_of, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
class GradientReversal(AdversarialEraser):
    """Train an encoder that increases the loss of the attribute heads while they decrease it.

    Gradient reversal (Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016),
    with an attribute in the place of the domain (Raff and Sylvester, "Gradient Reversal against
    Discrimination", DSAA 2018), on embeddings. Both sides are updated at once: heads lower their
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

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the negative loss of the heads.
    """

    adversarial_weight: float = 1.0
    schedule: Literal["ramp", "constant"] = "ramp"
    n_head_steps: int = 5

    def _check(self) -> None:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_one_of("schedule", self.schedule, ("ramp", "constant"))
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        super()._check()

    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        trainer.train_heads(self.n_head_steps - 1)
        primary = trainer.primary_loss(rows)
        batch = trainer.sensitive.draw()
        read = trainer.head_loss(trainer.encoder(batch.X), batch.codes)
        ramp = np.tanh(5 * trainer.progress) if self.schedule == "ramp" else 1.0
        loss = primary - trainer.strength * float(ramp) * self.adversarial_weight * read
        trainer.update(encoder=loss, heads=read)
        return UpdateRecord(loss.item(), primary.item(), -read.item())
