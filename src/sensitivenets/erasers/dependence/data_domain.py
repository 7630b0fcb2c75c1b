"""Fair representations in the data domain: what an embedding would be without the attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.erasers.base import FitData, Learned
from sensitivenets.erasers.dependence.settings import DecompositionSettings
from sensitivenets.erasers.neural.trained import Loss, TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows

if TYPE_CHECKING:
    import torch


class DataDomain(TrainedEraser):
    """Take a residual from each embedding, so that what stays does not depend on the attributes.

    Quadrianto, Sharmanska and Thomas, "Discovering Fair Representations in the Data Domain", CVPR
    2019, carried over from images to embeddings. An embedding of unit length is decomposed,
    x = x_fair + residual, where x_fair is the output of an encoder and lives in the same space as
    x. The encoder minimises::

        |residual|^2 + hsic_weight * HSIC(x_fair, s) - residual_weight * HSIC(residual, s)
            + primary_weight * loss(x_fair, y)

    where s are the attributes and HSIC, with a Gaussian kernel of random Fourier features, is
    relative to that of x itself: 1 is as dependent as the embeddings, 0 is independent. Losses of
    style and of content in the images, for which embeddings have no counterpart, are left out; the
    length of the residual stands for them.

    Several attributes are hidden together with their crossing. If `y` is given, x_fair must also
    keep its classes or identities.

    Parameters
    ----------
    hsic_weight : float, default=1.0
        Weight of the dependence of x_fair on the attributes, and the dial.
    residual_weight : float, default=0.0
        Weight of the dependence of the residual on the attributes, which is to be large.
    primary_weight : float, default=1.0
        Weight of the loss on `y`.
    loss : {"triplet", "cross_entropy"}, default="triplet"
        What x_fair must keep of `y`. ``"triplet"``: telling identities apart, by the hardest
        negative in a batch of pairs. ``"cross_entropy"``: a softmax layer over the classes.
    margin : float, default=0.2
        Of the triplet loss, on squared distances of unit rows.
    n_fourier : int, default=500
        Random features of the kernel, drawn anew in each step.
    n_hidden : int, default=512
        ReLU units of the encoder; with twice the input's features or more, training starts from
        the embeddings as they are.
    n_epochs : int, default=30
        Passes over the rows.
    batch_size : int, default=1024
        Rows a step: HSIC of a small batch is mostly noise.
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
        Its map is an `MLP` to x_fair, of unit length; its curve has a record an epoch: ``loss``,
        ``residual`` (mean squared length), ``dependence`` and ``residual_dependence`` (relative
        HSIC) and ``primary``, each before its weight.
    """

    def __init__(
        self,
        *,
        hsic_weight: float = 1.0,
        residual_weight: float = 0.0,
        primary_weight: float = 1.0,
        loss: Loss = "triplet",
        margin: float = 0.2,
        n_fourier: int = 500,
        n_hidden: int = 512,
        n_epochs: int = 30,
        batch_size: int = 1024,
        learning_rate: float = 1e-3,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.hsic_weight = hsic_weight
        self.residual_weight = residual_weight
        self.primary_weight = primary_weight
        self.loss = loss
        self.margin = margin
        self.n_fourier = n_fourier
        self.n_hidden = n_hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.device = device
        self.random_state = random_state

    def _check(self) -> None:
        self._settings()

    def _settings(self) -> DecompositionSettings:
        return DecompositionSettings(
            hsic_weight=self.hsic_weight,
            residual_weight=self.residual_weight,
            primary_weight=self.primary_weight,
            loss=self.loss,
            margin=self.margin,
            n_fourier=self.n_fourier,
            n_hidden=self.n_hidden,
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
        )

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.dependence.decomposition import decompose

        rows = training_rows(data, device)
        encoder, curve = decompose(rows, data.target, self._settings(), data.seed, device)
        return Learned(encoder, curve)
