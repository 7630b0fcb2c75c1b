"""Hide who, keep what, by a variational encoder: expression without identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sensitivenets.erasers.adversarial.parameters import AdversarialParameters
from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.neural.trained import Loss, TrainedEraser
from sensitivenets.errors import require_int, require_real

if TYPE_CHECKING:
    import torch


@parameterised
class VGAN(AdversarialParameters, TrainedEraser):
    """Train a variational encoder for a task against heads that recognise people.

    Chen, Konrad and Ishwar, "VGAN-Based Image Representation Learning for Privacy-Preserving Facial
    Expression Recognition", CVPR Workshops 2018, carried over from images to embeddings. An encoder
    gives a Gaussian for each row, from which a representation z is drawn. It minimises::

        cross-entropy of the task on z + kl_weight * KL(z | standard normal)
            + reconstruction_weight * |decoded - x|^2 / |x|^2
            + adversarial_weight * confusion of the identity head on z

    The head learns to recognise people in z; its confusion is the cross-entropy to the uniform
    distribution. The decoder is given the identity beside z, so that z need not hold it. The
    original's discriminator of real and synthesised images has no counterpart here: nobody looks
    at an embedding. What is left behind is the mean of the Gaussian.

    Several attributes: a head each, and the mean of their confusions. `y` is the task, of few
    classes, or identities where another attribute is hidden.

    Parameters
    ----------
    n_units : int or None, default=8
        Features of the output, None for as many as the input has; few features hold few people.
    loss : {"triplet", "cross_entropy"}, default="cross_entropy"
        What the encoder must keep: the classes of `y`, or, as ``"triplet"``, its identities.
    adversarial_weight : float, default=1.0
        Of the confusion, which is relative to that of a head that knows nothing.
    kl_weight : float, default=0.1
        Of the divergence: a bound on what z can tell of anything.
    reconstruction_weight : float, default=0.1
        Of the squared distance of rebuilt to true embedding.
    n_head_steps : int, default=3
        Batches that the heads learn from for each one of the encoder.
    verbose : bool, default=False
        Show a progress bar on stderr.

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``task``, ``divergence``,
        ``reconstruction``, ``confusion``, each before its weight.
    """

    n_units: int | None = 8
    loss: Loss = "cross_entropy"
    adversarial_weight: float = 1.0
    kl_weight: float = 0.1
    reconstruction_weight: float = 0.1
    n_head_steps: int = 3
    verbose: bool = False

    _least_hidden: ClassVar[int] = 1

    def _check(self) -> None:
        for name in ("adversarial_weight", "kl_weight", "reconstruction_weight"):
            require_real(name, getattr(self, name), minimum=0)
        require_int("n_head_steps", self.n_head_steps, minimum=1)
        super()._check()

    def _learn(self, data: FitData) -> Learned:
        data.require_target(type(self).__name__)
        return super()._learn(data)

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.adversarial.vgan_training import train_vgan

        return Learned(*train_vgan(data, self, device))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
