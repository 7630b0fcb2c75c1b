"""What decides how `Obliviator` and `DataDomain` are trained."""

from __future__ import annotations

from sensitivenets.erasers.base import parameterised
from sensitivenets.erasers.neural.trained import NetworkParameters, PrimaryParameters
from sensitivenets.errors import require_int, require_real


@parameterised
class ObliviatorParameters(NetworkParameters):
    """What a step of `Obliviator` needs.

    Parameters
    ----------
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
    """

    n_components: int | None = None
    n_fourier: int = 500
    n_hidden: int = 256
    n_epochs: int = 10
    batch_size: int = 2048
    learning_rate: float = 5e-4
    start_weight: float = 0.05
    previous_weight: float = 0.1
    target_weight: float = 0.1
    min_bandwidth: float = 1.5
    tolerance: float = 1e-4

    def _check(self) -> None:
        super()._check()
        if self.n_components is not None:
            require_int("n_components", self.n_components, minimum=1)
        require_int("n_fourier", self.n_fourier, minimum=1)
        require_real("min_bandwidth", self.min_bandwidth, above=0.0)
        for name in ("start_weight", "previous_weight", "target_weight"):
            require_real(name, getattr(self, name), minimum=0.0)
        require_real("tolerance", self.tolerance, minimum=0.0, maximum=1.0)


@parameterised
class DataDomainParameters(PrimaryParameters):
    """What the training of `DataDomain` needs.

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
    n_fourier : int, default=500
        Random features of the kernel, drawn anew in each step.
    batch_size : int, default=1024
        Rows a step: HSIC of a small batch is mostly noise.
    """

    hsic_weight: float = 1.0
    residual_weight: float = 0.0
    primary_weight: float = 1.0
    n_fourier: int = 500

    def _check(self) -> None:
        super()._check()
        for name in ("hsic_weight", "residual_weight", "primary_weight"):
            require_real(name, getattr(self, name), minimum=0.0)
        require_int("n_fourier", self.n_fourier, minimum=1)
