"""Fair representations in the data domain: what an embedding would be without the attributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensitivenets.erasers.base import FitData, Learned, parameterised
from sensitivenets.erasers.dependence.parameters import DataDomainParameters
from sensitivenets.erasers.neural.trained import TrainedEraser
from sensitivenets.erasers.neural.training_rows import training_rows

if TYPE_CHECKING:
    import torch


@parameterised
class DataDomain(DataDomainParameters, TrainedEraser):
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

    Attributes
    ----------
    model_ : Model
        Its map is an `MLP` to x_fair, of unit length; its curve has a record an epoch: ``loss``,
        ``residual`` (mean squared length), ``dependence`` and ``residual_dependence`` (relative
        HSIC) and ``primary``, each before its weight.
    """

    def _train(self, data: FitData, device: torch.device) -> Learned:
        from sensitivenets.erasers.dependence.decomposition import decompose

        rows = training_rows(data, device)
        encoder, curve = decompose(rows, data.target, self, data.seed, device)
        return Learned(encoder, curve)
