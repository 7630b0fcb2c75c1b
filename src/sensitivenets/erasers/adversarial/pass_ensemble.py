"""PASS: an ensemble of discriminators, trained one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.erasers.adversarial.base import AdversarialEraser
from sensitivenets.erasers.adversarial.parameters import Design, UpdateRecord
from sensitivenets.erasers.base import parameterised
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
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
    learning_rate : float, default=1e-3
        Of Adam, for the encoder. The authors have 1e-4, in some 700 000 steps.
    head_learning_rate : float, default=3e-3
        Of Adam, for the discriminators; 1e-3 in the authors' code. They must learn faster than the
        encoder, or it only misleads them.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has an `EpochRecord` an epoch, where `hidden` is
        the largest confusion loss, at least log c for c classes.
    """

    adversarial_weight: float = 1.0
    n_discriminators: int = 5
    encoder_steps: int = 10
    discriminator_steps: int = 50
    stop_accuracy: float = 0.9
    restart_interval: int = 30
    head_learning_rate: float = 3e-3

    def _check(self) -> None:
        require_real("adversarial_weight", self.adversarial_weight, minimum=0)
        require_real("stop_accuracy", self.stop_accuracy, above=0, maximum=1)
        for name in (
            "n_discriminators",
            "encoder_steps",
            "discriminator_steps",
            "restart_interval",
        ):
            require_int(name, getattr(self, name), minimum=1)
        require_real("head_learning_rate", self.head_learning_rate, above=0)
        super()._check()

    def _design(self) -> Design:
        return Design(
            n_heads=self.n_discriminators,
            head_activation="selu",
            head_learning_rate=self.head_learning_rate,
        )

    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        from sensitivenets.erasers.adversarial.losses import confusion

        turn, step_of_turn = divmod(trainer.n_updates, self.encoder_steps)
        if not trainer.strength:
            trainer.train_heads(1)
        elif step_of_turn == 0:
            self._update_discriminators(trainer, turn)
        primary = trainer.primary_loss(rows)
        batch = trainer.sensitive.draw()
        hidden = trainer.hiding_loss(trainer.encoder(batch.X), batch.codes, confusion)
        loss = primary + trainer.strength * self.adversarial_weight * hidden
        trainer.update(encoder=loss)
        return UpdateRecord(loss.item(), primary.item(), hidden.item())

    def _update_discriminators(self, trainer: AdversarialTrainer, turn: int) -> None:
        if turn % self.restart_interval == 0:
            trainer.restart_heads()
            trainer.train_heads(self.discriminator_steps)
            return
        heads = [turn % self.n_discriminators]
        for _ in range(self.discriminator_steps):
            trainer.train_heads(1, heads=heads)
            if trainer.accuracy(heads[0]) >= self.stop_accuracy:
                return
