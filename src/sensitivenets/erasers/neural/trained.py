"""What the erasers that are trained with torch have in common, without torch."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from typing import TYPE_CHECKING, Literal

from sensitivenets.embeddings.collapse import warn_of_collapse
from sensitivenets.erasers.base import Eraser, FitData, Learned, unchanged

if TYPE_CHECKING:
    import torch

Loss = Literal["triplet", "cross_entropy"]
HeadActivation = Literal["relu", "selu"]


class TrainedEraser(Eraser):
    """Base of the methods trained by descent; a method implements `_check` and `_train`."""

    device: str | None

    def _learn(self, data: FitData) -> Learned:
        self._check()
        if not data.attributes:
            return unchanged(data.X.shape[1])
        learned = self._train(data, training_device(self.device))
        warn_of_collapse(data.X, learned.map)
        return learned

    @abstractmethod
    def _check(self) -> None:
        """Refuse parameters that cannot be used, before any work."""

    @abstractmethod
    def _train(self, data: FitData, device: torch.device) -> Learned:
        """Train, given at least one attribute."""


def training_device(name: str | None) -> torch.device:
    """Return the device of that name; the GPU if there is one, unless given.

    Raises
    ------
    ImportError
        If torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise ImportError("fitting needs torch: pip install 'sensitivenets[train]'")
    import torch

    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
