"""Kernel matrices by torch, on a device such as a graphics card."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.maps.on_device import device_named


@dataclass(frozen=True)
class KernelsOnDevice:
    """Kernel matrices by torch: see `smooth_functions.Kernels`.

    Attributes
    ----------
    device : torch.device
        Where they are made.
    """

    device: torch.device

    def gaussian(self, a: FloatArray, b: FloatArray, gamma: float) -> FloatArray:
        """See `smooth_functions.Kernels.gaussian`."""
        return squares(self._put(a), self._put(b)).mul_(-gamma).exp_().cpu().numpy()

    def distances(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """See `smooth_functions.Kernels.distances`."""
        return squares(self._put(a), self._put(b)).sqrt_().cpu().numpy()

    def solve(self, kernel: FloatArray, columns: FloatArray) -> FloatArray:
        """See `smooth_functions.Kernels.solve`."""
        matrix, sides = self._put(kernel), self._put(columns)
        return torch.cholesky_solve(sides, torch.linalg.cholesky(matrix)).cpu().numpy()

    def _put(self, array: FloatArray) -> Tensor:
        return torch.tensor(array, device=self.device)


def kernels_on(name: str) -> KernelsOnDevice:
    """Return the kernels of a device: see `maps.on_device.device_named`."""
    return KernelsOnDevice(device_named(name))


def squares(a: Tensor, b: Tensor) -> Tensor:
    """Return squared Euclidean distances (n, m) of rows (n, d) and (m, d) that are there."""
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    return torch.addmm(lengths, a, b.T, alpha=-2).clamp_(min=0)
