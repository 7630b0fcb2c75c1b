"""What the adversarial erasers have in common, without torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.adversarial.parameters import (
    AdversarialParameters,
    Design,
    UpdateRecord,
)
from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.neural.trained import TrainedEraser

if TYPE_CHECKING:
    import torch

    from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
    from sensitivenets.erasers.neural.primary import IntArray


@parameterised
class AdversarialEraser(AdversarialParameters, TrainedEraser):
    """Base of the methods that train an encoder against heads which read the attributes.

    A method says in `_update` what is updated on one batch, and in `_design` what networks and
    optimisers it needs.

    Parameters
    ----------
    verbose : bool, default=False
        Show a progress bar on stderr.
    """

    verbose: bool = False

    #: Whether `y` may not be left out.
    _needs_target: ClassVar[bool] = True

    def _learn(self, data: FitData) -> Learned:
        self._target(data)
        return super()._learn(data)

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.adversarial.trainer import AdversarialTrainer
        from sensitivenets.erasers.adversarial.training import train

        trainer = AdversarialTrainer(data, self._target(data), self, self._design(), device)
        curve = train(
            trainer,
            self._update,
            n_epochs=self.n_epochs,
            warm_up=self.warm_up,
            rate=self._rate,
            seed=data.seed,
            verbose=self.verbose,
        )
        return Learned(trainer.encoder.freeze(), curve)

    @abstractmethod
    def _update(self, trainer: AdversarialTrainer, rows: IntArray | None) -> UpdateRecord:
        """Update encoder and heads once, given row numbers of a batch of D-P."""

    def _design(self) -> Design:
        return Design()

    def _target(self, data: FitData) -> Labels | None:
        if data.target is None and not self._needs_target:
            return None
        return data.require_target(type(self).__name__)

    @staticmethod
    def _rate(progress: float) -> float:
        """Return what the learning rate is multiplied with, at a progress from 0 to 1."""
        del progress
        return 1.0

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self._needs_target
        return tags
