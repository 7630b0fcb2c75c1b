"""FaRM and KRaM: let every class take all the room there is, so that none can be told."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.neural.trained import TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from sensitivenets.erasers.neural.training_rows import ClassCodes


@parameterised
class _RateEraser(TrainedEraser):
    """Trains an encoder of unit rows by coding rates.

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
    """

    n_units: int | None = None
    distortion: float = 0.5
    n_epochs: int = 25

    @abstractmethod
    def _terms(self, Z: Tensor, X: Tensor, groups: list[ClassCodes]) -> dict[str, Tensor]:
        """Scalars by name, of which ``"loss"`` is minimised; `X` are the unit rows before."""

    def _check(self) -> None:
        super()._check()
        if self.n_units is not None:
            require_int("n_units", self.n_units, minimum=1)
        require_real("distortion", self.distortion, above=0.0)

    def _train(self, data: FitData, device: torch.device) -> Learned:
        import torch
        from torch.nn.functional import normalize

        from sensitivenets.erasers.neural.networks import Encoder
        from sensitivenets.erasers.neural.training import minimise

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
        curve = minimise(
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


@parameterised
class FaRM(_RateEraser):
    """Let every class take all the room there is: maximise R(Z) + R(Z | classes).

    Basu Roy Chowdhury and Chaturvedi, "Learning Fair Representations via Rate-Distortion
    Maximization", TACL 2022 (unconstrained). The rate R(Z) = 1/2 logdet(I + k / (n eps^2) Z^T Z) is
    how much room unit rows take. If all rows, and the rows of each class, take all of it, classes
    cannot be told apart by second moments. Nothing keeps what else the embeddings say, but that
    training starts from them, and stops. Nothing hides what a sign says either: a class that
    mirrors the other takes the same room, and any linear reader finds it.

    Several attributes, and their crossing: the mean of R(Z | classes) over them. `y` is not used.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``loss``, ``rate`` R(Z) and
        ``class_rate`` R(Z | classes).
    """

    def _terms(self, Z: Tensor, X: Tensor, groups: list[ClassCodes]) -> dict[str, Tensor]:
        del X
        from sensitivenets.erasers.dependence.measures import coding_rate, mean_class_rate

        rate = coding_rate(Z, self.distortion)
        rates = [mean_class_rate(Z, group, self.distortion) for group in groups]
        class_rate = sum(rates[1:], rates[0]) / len(rates)
        return {"loss": -rate - class_rate, "rate": rate, "class_rate": class_rate}


@parameterised
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
    n_epochs : int, default=25
        Passes over the rows; 50 in the original.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``loss``, ``kernel_rate`` and
        ``constraint`` |R(Z) - R(X)|.
    """

    rate_weight: float = 1.0

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
