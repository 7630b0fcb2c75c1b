"""The convolutional networks: one that changes faces, and small ones that read attributes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError
from sensitivenets.faces.images import Image

# Faces of CelebA at half size hold about 60 pixels of detail in a crop of 112.
_WORKING_SIDE = 56
_BATCH = 128


def to_planes(pixels: Image, device: torch.device | None = None) -> Tensor:
    """Bring pixels of shape (n, side, side, 3) to planes in [0, 1], shape (n, 3, side, side)."""
    planes = torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 255
    return planes.contiguous(memory_format=torch.channels_last)


def to_pixels(planes: Tensor) -> Image:
    """Bring planes in [0, 1] to pixels, rounded as a file would hold them."""
    rounded = (planes.detach() * 255).round().clamp(0, 255).to(torch.uint8)
    pixels: Image = rounded.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels


class Obfuscator(nn.Module):
    """A convolutional auto-encoder whose output is added to the face.

    It works on half of the pixels a side, with connections past its bottleneck, and gives the
    change of each pixel; before training it changes nothing.

    Parameters
    ----------
    width : int
        Channels of the first layer.
    strength : float
        Largest change of a pixel, a share of its range.
    seed : int
        Decides the first weights.
    """

    def __init__(self, width: int = 24, strength: float = 0.3, seed: int = 0) -> None:
        super().__init__()
        self.width, self.strength = width, strength
        self.first = _block(3, width, stride=2)
        self.second = _block(width, 2 * width, stride=2)
        self.middle = nn.Sequential(
            _block(2 * width, 4 * width, stride=2), _block(4 * width, 4 * width)
        )
        self.up_second = _block(6 * width, 2 * width)
        self.up_first = _block(3 * width, width)
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        initialise(self, seed)
        nn.init.zeros_(self.last.weight)

    def forward(self, images: Tensor) -> Tensor:
        """Change faces, planes in [0, 1] of shape (n, 3, side, side); side a multiple of 16."""
        small = functional.avg_pool2d(images, 2)
        first = self.first(small)
        second = self.second(first)
        middle = _double(self.middle(second))
        second = _double(self.up_second(torch.cat([middle, second], 1)))
        first = _double(self.up_first(torch.cat([second, first], 1)))
        change = _double(self.strength * self.last(first).tanh())
        return (images + change).clamp(0, 1)

    def apply_to(self, pixels: Image) -> Image:
        """Change faces, pixels of shape (n, side, side, 3), in batches."""
        side = pixels.shape[1]
        if side % 16:
            raise InputError(f"faces: expected a side that is a multiple of 16, found {side}")
        device = self.last.weight.device
        with torch.no_grad():
            changed = [
                to_pixels(self(to_planes(pixels[batch], device)))
                for batch in row_blocks(len(pixels), _BATCH)
            ]
        return _stack(changed, pixels)


@dataclass(frozen=True)
class Reader:
    """The architecture of a pixel classifier.

    Attributes
    ----------
    width : int
        Channels of the first layer.
    kernel : int
        Side of the first layer's kernel, odd.
    side : int
        Pixels to which faces are shrunk first.
    grey : bool
        Whether colours are left out.
    """

    width: int = 16
    kernel: int = 3
    side: int = _WORKING_SIDE
    grey: bool = False


#: Three that differ, so that what confounds them all may confound others.
ENSEMBLE = (Reader(), Reader(width=24, kernel=5, side=28), Reader(kernel=7, grey=True))
#: One that is in no ensemble: wider, and with another first layer.
ATTACKER = Reader(width=20, kernel=5)


class PixelClassifier(nn.Module):
    """A small convolutional network from faces to classes.

    Parameters
    ----------
    reader : Reader
        Its architecture.
    n_classes : int
        Outputs.
    seed : int
        Decides the first weights.
    """

    def __init__(self, reader: Reader, n_classes: int, seed: int = 0) -> None:
        super().__init__()
        self.reader = reader
        width = reader.width
        stride = 2 if reader.side > _WORKING_SIDE // 2 else 1
        self.features = nn.Sequential(
            _block(1 if reader.grey else 3, width, stride, reader.kernel),
            _block(width, 2 * width, stride=1),
            nn.MaxPool2d(2),
            _block(2 * width, 3 * width),
            nn.MaxPool2d(2),
            _block(3 * width, 4 * width),
        )
        self.head = nn.Linear(4 * width, n_classes)
        initialise(self, seed)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits of faces, planes in [0, 1]: shape (n, n_classes)."""
        if self.reader.grey:
            images = images.mean(1, keepdim=True)
        small = functional.adaptive_avg_pool2d(images, self.reader.side)
        logits: Tensor = self.head(self.features(4 * small - 2).mean((2, 3)))
        return logits

    def scores(self, pixels: Image) -> FloatArray:
        """Return log-probabilities of pixels of shape (n, side, side, 3), in batches."""
        self.eval()
        device = self.head.weight.device
        with torch.no_grad():
            found = [
                self(to_planes(pixels[batch], device)).log_softmax(1).cpu()
                for batch in row_blocks(len(pixels), _BATCH)
            ]
        scores: FloatArray = torch.cat(found).numpy()
        return scores


def initialise(network: nn.Module, seed: int) -> None:
    """Draw weights for ReLU layers, by one seed; biases are zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in _layers(network):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()


def _layers(network: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            yield layer


def _block(n_in: int, n_out: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    conv = nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(n_out), nn.ReLU())


def _double(planes: Tensor) -> Tensor:
    return functional.interpolate(planes, scale_factor=2, mode="bilinear", align_corners=False)


def _stack(parts: list[Image], like: Image) -> Image:
    return np.concatenate(parts) if parts else like[:0]
