"""Obliviator: encoders that forget attributes in a kernel's sense, and exact projections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.dependence.parameters import ObliviatorParameters
from sensitivenets.erasers.neural.trained import TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows
from sensitivenets.errors import require_int

if TYPE_CHECKING:
    import torch


@parameterised
class Obliviator(ObliviatorParameters, TrainedEraser):
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

    Attributes
    ----------
    model_ : Model
        Its map is a `Chain` of numpy maps; its curve has a record an iteration: the dependence
        (root of HSIC) of the encoder's output on attributes and on what is kept, in the last
        epoch, and the features left.
    """

    n_iterations: int = 4

    def _check(self) -> None:
        require_int("n_iterations", self.n_iterations, minimum=0)
        super()._check()

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.dependence.oblivious_steps import erase

        rows = training_rows(data, device)
        return Learned(*erase(rows, self, self.n_iterations, data.seed, device))
