"""Obliviator: encoders that forget attributes in a kernel's sense, and exact projections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sensitivenets.erasers.base import FitData, Learned
from sensitivenets.erasers.dependence.settings import StepSettings
from sensitivenets.erasers.neural.trained import TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows
from sensitivenets.errors import require_int

if TYPE_CHECKING:
    import torch


class Obliviator(TrainedEraser):
    """Forget attributes in the sense of a kernel, a little more in each iteration.

    Akbari, Afshari and Boddeti, "Obliviator Reveals the Cost of Nonlinear Guardedness in
    Concept Erasure", NeurIPS 2025. Rows are standardised, and kernel principal components are
    taken that have no covariance with the attributes. Then each iteration trains an encoder whose
    output depends little on the attributes, and much on the rows it started from, as measured by
    HSIC with Gaussian kernels; and projects random Fourier features of that output on the
    directions that have *exactly* no covariance with the attributes on the training rows, of those
    on the ones that covary most with the rows before.

    The published program is transductive: it wants the test rows when it fits. This one stores
    frequencies, encoders and projections, so that `transform` maps any row, in numpy. What is
    forgotten on training rows comes back in part on others: few rows, many features and narrow
    kernels over-fit.

    Several attributes are hidden together with their crossing. If `y` is given, its classes or
    identities are kept beside the geometry of the rows.

    Parameters
    ----------
    n_iterations : int, default=4
        Encoders, and the dial: more leak less and are worth less. With none, only the first
        projection is left. The paper stops at chance, or at 15.
    n_components : int, optional
        Features of the output, at most; as many as the input has unless given.
    n_fourier : int, default=500
        Random features of each kernel; the paper takes 1 000 to 4 000.
    n_hidden : int, default=256
        ReLU units of an encoder (the paper has SiLU); with twice the input's features or more,
        training starts from the rows as they are.
    n_epochs : int, default=10
        Passes over the rows for each encoder; the paper takes 25 to 30.
    batch_size : int, default=2048
        Rows a step: HSIC of a small batch is mostly noise. The paper takes 16 384.
    learning_rate : float, default=5e-4
        Of AdamW, with weight decay 1e-3.
    start_weight, previous_weight : float, default=0.05, 0.1
        tau of the encoder for the rows that the first projection gave, and for those that the last
        iteration gave. Dependence is the square root of HSIC.
    target_weight : float, default=0.1
        tau of `y`.
    min_bandwidth : float, default=1.5
        Bandwidths are median distances, and no less than this; rows have unit length.
    tolerance : float, default=1e-4
        Directions of an eigenvalue smaller than this, relative to the largest, are left out.
    device : str, optional
        Torch device; the GPU if there is one, unless given.
    random_state : int, RandomState or None, default=None
        Decides everything random; the same int gives the same bits on the same CPU with the same
        number of threads.

    Attributes
    ----------
    model_ : Model
        Its map is a `Chain` of numpy maps; its curve has a record an iteration: the dependence
        (root of HSIC) of the encoder's output on attributes and on what is kept, in the last
        epoch, and the features left.
    """

    def __init__(
        self,
        *,
        n_iterations: int = 4,
        n_components: int | None = None,
        n_fourier: int = 500,
        n_hidden: int = 256,
        n_epochs: int = 10,
        batch_size: int = 2048,
        learning_rate: float = 5e-4,
        start_weight: float = 0.05,
        previous_weight: float = 0.1,
        target_weight: float = 0.1,
        min_bandwidth: float = 1.5,
        tolerance: float = 1e-4,
        device: str | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_iterations = n_iterations
        self.n_components = n_components
        self.n_fourier = n_fourier
        self.n_hidden = n_hidden
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.start_weight = start_weight
        self.previous_weight = previous_weight
        self.target_weight = target_weight
        self.min_bandwidth = min_bandwidth
        self.tolerance = tolerance
        self.device = device
        self.random_state = random_state

    def _check(self) -> None:
        self._settings()

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.dependence.oblivious_steps import erase

        rows = training_rows(data, device)
        return Learned(*erase(rows, self._settings(), self.n_iterations, data.seed, device))

    def _settings(self) -> StepSettings:
        require_int("n_iterations", self.n_iterations, minimum=0)
        return StepSettings(
            n_components=self.n_components,
            n_fourier=self.n_fourier,
            n_hidden=self.n_hidden,
            n_epochs=self.n_epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            start_weight=self.start_weight,
            previous_weight=self.previous_weight,
            target_weight=self.target_weight,
            min_bandwidth=self.min_bandwidth,
            tolerance=self.tolerance,
        )
