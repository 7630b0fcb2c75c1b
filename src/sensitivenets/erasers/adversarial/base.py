"""What the adversarial erasers have in common, without torch."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

from sensitivenets.embeddings import Labels
from sensitivenets.erasers.adversarial.settings import AdversarialSettings, UpdateRecord
from sensitivenets.erasers.base import FitData, Learned
from sensitivenets.erasers.neural.trained import Loss, TrainedEraser

if TYPE_CHECKING:
    import torch

    from sensitivenets.erasers.adversarial.game import Game
    from sensitivenets.erasers.neural.primary import IntArray


class AdversarialEraser(TrainedEraser):
    """Base of the methods that train an encoder against heads which read the attributes.

    A method says in `_update` how the players move on one batch, and in `_settings` what it needs.
    """

    loss: Loss
    margin: float
    n_units: int | None
    n_hidden: int
    n_head_units: int
    normalise: bool
    n_epochs: int
    warm_up: int
    batch_size: int
    learning_rate: float
    verbose: bool

    #: Whether `y` may be left out.
    _needs_target = True

    def _check(self) -> None:
        self._settings()

    def _learn(self, data: FitData) -> Learned:
        self._target(data)
        return super()._learn(data)

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.adversarial.training import train

        return Learned(
            *train(
                data,
                self._target(data),
                self._settings(),
                self._update,
                rate=self._rate,
                device=device,
                verbose=self.verbose,
            )
        )

    @abstractmethod
    def _update(self, game: Game, rows: IntArray | None) -> UpdateRecord:
        """Move the players once, given row numbers of a batch of D-P."""

    def _settings(self, **needs: Any) -> AdversarialSettings:
        """Check all parameters; `needs` are the settings that are the method's own."""
        return AdversarialSettings(
            loss=self.loss,
            margin=self.margin,
            n_units=self.n_units,
            n_hidden=self.n_hidden,
            n_head_units=self.n_head_units,
            normalise=self.normalise,
            n_epochs=self.n_epochs,
            warm_up=self.warm_up,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            **needs,
        )

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
