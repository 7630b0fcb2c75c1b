"""Hide who, keep what, by a variational encoder: expression without identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sensitivenets.erasers.adversarial.parameters import VariationalParameters
from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.neural.trained import TrainedEraser

if TYPE_CHECKING:
    import torch


@parameterised
class VGAN(VariationalParameters, TrainedEraser):
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

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP`; its curve has a record an epoch: ``task``, ``divergence``,
        ``reconstruction``, ``confusion``, each before its weight.
    """

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
