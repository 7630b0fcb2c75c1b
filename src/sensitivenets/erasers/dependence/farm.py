"""FaRM and KRaM: let every class take all the room there is, so that none can be told."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.erasers.base import FitData, Learned
from sensitivenets.erasers.neural.trained import TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sensitivenets.erasers.neural.training_rows import ClassCodes


class _RateEraser(TrainedEraser):
    """Trains an encoder of unit rows by coding rates."""

    n_units: int | None
    n_hidden: int
    distortion: float
    n_epochs: int
    batch_size: int
    learning_rate: float
    device: str | None

    @abstractmethod
    def _terms(self, Z: Tensor, X: Tensor, groups: list[ClassCodes]) -> dict[str, Tensor]:
        """Scalars by name, of which ``"loss"`` is minimised; `X` are the unit rows before."""

    def _check(self) -> None:
        if self.n_units is not None:
            require_int("n_units", self.n_units, minimum=1)
        for name in ("n_hidden", "n_epochs"):
            require_int(name, getattr(self, name), minimum=1)
        require_int("batch_size", self.batch_size, minimum=2)
        for name in ("distortion", "learning_rate"):
            require_real(name, getattr(self, name), above=0.0)

    def _train(self, data: FitData, device: torch.device) -> Learned:
        import torch
        from torch.nn.functional import normalize

        from sensitivenets.erasers.neural.descent import descend
        from sensitivenets.erasers.neural.networks import Encoder

        rows = training_rows(data, device)
        generator = torch.Generator().manual_seed(data.seed)
        X = torch.from_numpy(rows.X).to(device)
        n_features = X.shape[1]
        encoder = Encoder(
            n_features,
            self.n_hidden,
            self.n_units or n_features,
            scale=float(1 / X.square().sum(1).mean().sqrt().clamp(min=1e-12)),
            normalise=True,
            generator=generator,
        ).to(device)
        curve = descend(
            encoder.parameters(),
            lambda batch: self._terms(
                encoder(X[batch]),
                normalize(X[batch], dim=1),
                [group.take(batch) for group in rows.hidden],
            ),
            len(X),
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            generator=generator,
            device=device,
        )
        return Learned(encoder.freeze(), curve)


class FaRM(_RateEraser):
    """Let every class take all the room there is: maximise R(Z) + R(Z | classes).

    Basu Roy Chowdhury and Chaturvedi, "Learning Fair Representations via Rate-Distortion
    Maximization", TACL 2022 (unconstrained). The rate R(Z) = 1/2 logdet(I + k / (n eps^2) Z^T Z) is
    how much room unit rows take. If all rows, and the rows of each class, take all of it, classes
    cannot be told apart by second moments. Nothing keeps what else the embeddings say, but that
    training starts from them, and stops. Nothing hides what a sign says either: a class that
    mirrors the other takes the same room, and any linear reader finds it.

    Several attributes, and their crossing: the mean of R(Z | classes) over them. `y` is not used.

    Parameters
    ----------
    n_units : int, optional
        Features of the output; as many as the input has unless given.
    n_hidden : int, default=512
        ReLU units of the encoder; with twice the input's features or more, training starts from
        the embeddings as they are. The original has four layers, and starts from chance.
    distortion : float, default=0.5
        eps^2, as in the original.
    n_epochs : int, default=25
        Passes over the rows.
    batch_size : int, default=1024
        Rows a step; fewer than features make the rates of classes meaningless.
    learning_rate : float, default=1e-3
        Of Adam.
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    random_state : int, RandomState or None, default=None
        Decides everything random; the same int gives the same bits on the same CPU with the same
        number of threads.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``loss``, ``rate`` R(Z) and
        ``class_rate`` R(Z | classes).
    """

    def __init__(
        self,
        *,
        n_units: int | None = None,
        n_hidden: int = 512,
        distortion: float = 0.5,
        n_epochs: int = 25,
        batch_size: int = 1024,
        learning_rate: float = 1e-3,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_units = n_units
        self.n_hidden = n_hidden
        self.distortion = distortion
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state

    def _terms(self, Z: Tensor, X: Tensor, groups: list[ClassCodes]) -> dict[str, Tensor]:
        del X
        from sensitivenets.erasers.dependence.measures import coding_rate, mean_class_rate

        rate = coding_rate(Z, self.distortion)
        rates = [mean_class_rate(Z, group, self.distortion) for group in groups]
        class_rate = sum(rates[1:], rates[0]) / len(rates)
        return {"loss": -rate - class_rate, "rate": rate, "class_rate": class_rate}


class KRaM(_RateEraser):
    """Let every class take all the room there is, and all rows no more than before.

    Basu Roy Chowdhury, Monath, Dubey, Ahmed and Chaturvedi, "Robust Concept Erasure via Kernelized
    Rate-Distortion Maximization", NeurIPS 2023: maximise the rate of Z Z^T * K, where K_ij is 1
    for rows of one class and 0 for others, minus rate_weight |R(Z) - R(X)|. For classes this is
    block-diagonal, and computed so; kernels of continuous attributes are not offered. Rates are
    not centred: a class may mirror the other, as in `FaRM`, and rows may gather around a common
    direction, which leaves their neighbours as they were and is warned of.

    Several attributes, and their crossing: the mean rate over them. `y` is not used.

    Parameters
    ----------
    rate_weight : float, default=1.0
        lambda, of the constraint on the rate of all rows.
    n_units : int, optional
        Features of the output; as many as the input has unless given.
    n_hidden : int, default=512
        ReLU units of the encoder; with twice the input's features or more, training starts from
        the embeddings as they are. The original has four layers, and starts from chance.
    distortion : float, default=0.5
        eps^2, as in the original.
    n_epochs : int, default=25
        Passes over the rows; 50 in the original.
    batch_size : int, default=1024
        Rows a step; fewer than features make the rates of classes meaningless.
    learning_rate : float, default=1e-3
        Of Adam.
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    random_state : int, RandomState or None, default=None
        Decides everything random; the same int gives the same bits on the same CPU with the same
        number of threads.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``loss``, ``kernel_rate`` and
        ``constraint`` |R(Z) - R(X)|.
    """

    def __init__(
        self,
        *,
        rate_weight: float = 1.0,
        n_units: int | None = None,
        n_hidden: int = 512,
        distortion: float = 0.5,
        n_epochs: int = 25,
        batch_size: int = 1024,
        learning_rate: float = 1e-3,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.rate_weight = rate_weight
        self.n_units = n_units
        self.n_hidden = n_hidden
        self.distortion = distortion
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state

    def _check(self) -> None:
        require_real("rate_weight", self.rate_weight, minimum=0.0)
        super()._check()

    def _terms(self, Z: Tensor, X: Tensor, groups: list[ClassCodes]) -> dict[str, Tensor]:
        from sensitivenets.erasers.dependence.measures import coding_rate, kernel_rate

        rates = [kernel_rate(Z, group, self.distortion) for group in groups]
        within = sum(rates[1:], rates[0]) / len(rates)
        constraint = (coding_rate(Z, self.distortion) - coding_rate(X, self.distortion)).abs()
        loss = self.rate_weight * constraint - within
        return {"loss": loss, "kernel_rate": within, "constraint": constraint}
