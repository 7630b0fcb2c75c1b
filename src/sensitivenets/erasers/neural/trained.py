"""What the erasers that are trained with torch have in common, without torch."""

from __future__ import annotations

import importlib.util
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from sensitivenets.embeddings.collapse import warn_of_collapse
from sensitivenets.erasers.base import Eraser, FitData, Learned, parameterised
from sensitivenets.errors import require_int, require_one_of, require_real

if TYPE_CHECKING:
    import torch

Loss = Literal["triplet", "cross_entropy"]
HeadActivation = Literal["relu", "selu"]


@parameterised
class NetworkParameters:
    """How wide an encoder is, and how it is trained.

    Parameters
    ----------
    n_hidden : int, default=512
        ReLU units of the encoder; with twice the input's features or more, training starts from
        the embeddings as they are.
    n_epochs : int, default=30
        Passes over the rows.
    batch_size : int, default=1024
        Rows a step.
    learning_rate : float, default=1e-3
        Of Adam.
    """

    n_hidden: int = 512
    n_epochs: int = 30
    batch_size: int = 1024
    learning_rate: float = 1e-3

    #: Smallest values of two parameters.
    _least_hidden: ClassVar[int] = 1
    _least_batch: ClassVar[int] = 2

    def _check(self) -> None:
        """Refuse parameters that cannot be used, before any work."""
        require_int("n_hidden", self.n_hidden, minimum=self._least_hidden)
        require_int("n_epochs", self.n_epochs, minimum=1)
        require_int("batch_size", self.batch_size, minimum=self._least_batch)
        require_real("learning_rate", self.learning_rate, above=0)


@parameterised
class PrimaryParameters(NetworkParameters):
    """What an encoder must keep of `y`, and how it is trained.

    Parameters
    ----------
    loss : {"triplet", "cross_entropy"}, default="triplet"
        What the encoder must keep. ``"triplet"``: telling identities apart, by the hardest
        negative in a batch of pairs. ``"cross_entropy"``: a softmax layer over the classes, or
        identities, in `y`.
    margin : float, default=0.2
        Of the triplet loss, on squared distances of unit rows, as in SensitiveNets and FaceNet.
    """

    loss: Loss = "triplet"
    margin: float = 0.2

    _least_batch: ClassVar[int] = 4

    def _check(self) -> None:
        super()._check()
        require_one_of("loss", self.loss, ("triplet", "cross_entropy"))
        require_real("margin", self.margin, above=0)


@parameterised
class TrainedEraser(NetworkParameters, Eraser):
    """Base of the methods trained by gradient; a method implements `_train`.

    Parameters
    ----------
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    """

    device: str | None = None

    def _learn(self, data: FitData) -> Learned:
        self._check()
        learned = self._train(data, training_device(self.device))
        warn_of_collapse(data.X, learned.map)
        return learned

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
