"""LAFTR: adversarially fair and transferable representations."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.parameters import Design, UpdateRecord
from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_one_of, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
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

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the negative loss of the heads; `primary` holds
        both the loss on `y` and the reconstruction.
    """

    _needs_target: ClassVar[bool] = False

    adversarial_weight: float = 1.0
    reconstruction_weight: float = 1.0
    primary_weight: float = 1.0
    head_loss: Literal["cross_entropy", "l1"] = "cross_entropy"
    n_head_steps: int = 5

    def _check(self) -> None:
        for name in ("adversarial_weight", "reconstruction_weight", "primary_weight"):
            require_real(name, getattr(self, name), minimum=0)
        require_one_of("head_loss", self.head_loss, ("cross_entropy", "l1"))
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        super()._check()

    def _design(self) -> Design:
        return Design(reconstruct=True)

    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import (
            balanced_absolute_error,
            balanced_cross_entropy,
        )

        error = balanced_absolute_error if self.head_loss == "l1" else balanced_cross_entropy
        batch = trainer.sensitive.draw()
        features = trainer.encoder(batch.X)
        primary = self.primary_weight * trainer.primary_loss(rows)
        primary = primary + self.reconstruction_weight * trainer.reconstruction_loss(
            features, batch
        )
        read = trainer.head_loss(features, batch.codes, error)
        loss = primary - trainer.strength * self.adversarial_weight * read
        trainer.update(encoder=loss)
        trainer.train_heads(self.n_head_steps, error)
        return UpdateRecord(loss.item(), primary.item(), -read.item())
