"""Small networks: the encoder, the heads that read attributes, and the decoder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from sensitivenets.erasers.neural.trained import HeadActivation
from sensitivenets.maps.mlp import MLP

_ACTIVATIONS: dict[HeadActivation, type[nn.Module]] = {"relu": nn.ReLU, "selu": nn.SELU}


class Encoder(nn.Module):
    """f: one linear layer, or a hidden ReLU layer and a linear one.

    It starts as an isometry where there are units enough, so that training starts from what the
    embeddings can do: the weights of a linear layer are orthogonal; hidden units come in pairs of
    opposite sign, relu(a) - relu(-a) = a, with orthogonal weights before and after ("looks linear",
    Balduzzi et al., "The Shattered Gradients Problem", ICML 2017).

    Parameters
    ----------
    n_in, n_hidden, n_units : int
        Features of the input, the hidden layer (0: none) and the output.
    scale : float
        The input is multiplied by it.
    normalise : bool
        Whether output rows are scaled to unit length.
    generator : torch.Generator
        Decides the initial weights.
    """

    def __init__(
        self,
        n_in: int,
        n_hidden: int,
        n_units: int,
        *,
        scale: float,
        normalise: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.scale, self.normalise = scale, normalise
        weights = (
            _looks_linear(n_in, n_hidden, n_units, generator)
            if n_hidden
            else [_orthogonal(n_in, n_units, generator)]
        )
        self.weights = nn.ParameterList(weights)
        self.biases = nn.ParameterList(torch.zeros(weight.shape[1]) for weight in weights)

    def forward(self, X: Tensor) -> Tensor:
        """Map (n, n_in) to (n, n_units)."""
        rows = X * self.scale
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            rows = torch.addmm(bias, torch.relu(rows) if layer else rows, weight)
        return nn.functional.normalize(rows, dim=1) if self.normalise else rows

    def freeze(self) -> MLP:
        """Return the same map in numpy."""
        weights = [weight.detach().cpu().numpy().copy() for weight in self.weights]
        biases = [bias.detach().cpu().numpy().copy() for bias in self.biases]
        weights[0] *= weights[0].dtype.type(self.scale)
        return MLP(tuple(weights), tuple(biases), self.normalise)


def perceptron(
    widths: Sequence[int],
    generator: torch.Generator,
    activation: HeadActivation = "relu",
) -> nn.Sequential:
    """Build linear layers with an activation between them; layers of width 0 are left out.

    Weights and biases are drawn as torch draws them for a linear layer, but by `generator`.
    """
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(width for width in widths if width):
        if layers:
            layers.append(_ACTIVATIONS[activation]())
        layer = nn.utils.skip_init(nn.Linear, n_in, n_out)  # type: ignore[no-untyped-call]
        layers.append(layer)
    network = nn.Sequential(*layers)
    redraw(network, generator)
    return network


def redraw(network: nn.Sequential, generator: torch.Generator) -> None:
    """Draw the weights of `perceptron` anew, in place."""
    with torch.no_grad():
        for layer in network:
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in (layer.weight, layer.bias):
                    drawn = torch.rand(parameter.shape, generator=generator)
                    parameter.copy_((2 * drawn - 1) * bound)


def _orthogonal(n_in: int, n_out: int, generator: torch.Generator) -> Tensor:
    weight = torch.empty(n_in, n_out)
    if weight.numel():
        nn.init.orthogonal_(weight, generator=generator)
    return weight


def _looks_linear(
    n_in: int, n_hidden: int, n_units: int, generator: torch.Generator
) -> list[Tensor]:
    """Two layers; an odd hidden unit is added without a partner, and unread at first."""
    half, odd = divmod(n_hidden, 2)
    first, alone = _orthogonal(n_in, half, generator), _orthogonal(n_in, odd, generator)
    # With pairs enough first @ first.T is the identity, and all is one orthogonal layer.
    second = first.T @ _orthogonal(n_in, n_units, generator)
    unread = torch.zeros(odd, n_units)
    return [torch.cat([first, -first, alone], dim=1), torch.cat([second, -second, unread])]
