"""Gradient descent over batches of rows, for methods without an adversary."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from sensitivenets.erasers.neural.training_rows import batches


def minimise(
    parameters: Iterable[Tensor],
    terms: Callable[[Tensor], Mapping[str, Tensor]],
    n_rows: int,
    *,
    n_epochs: int,
    batch_size: int,
    learning_rate: float,
    generator: torch.Generator,
    device: torch.device,
) -> tuple[dict[str, Any], ...]:
    """Minimise a loss with Adam.

    Parameters
    ----------
    parameters : iterable of Tensor
        Updated in place.
    terms : callable
        Given the row numbers of a batch, returns scalars by name; ``"loss"`` is minimised.
    n_rows : int
        Rows to draw batches from.
    n_epochs : int
        Passes over the rows.
    batch_size : int
        Rows a step, or more where the rows do not divide.
    learning_rate : float
        Of Adam.
    generator : torch.Generator
        Decides the batches.
    device : torch.device
        Where the row numbers are put.

    Returns
    -------
    tuple of dict
        A record an epoch: its number, and the mean of each term.
    """
    optimiser = torch.optim.Adam(parameters, lr=learning_rate)
    curve = []
    for epoch in range(1, n_epochs + 1):
        steps: list[dict[str, Tensor]] = []
        for rows in batches(n_rows, batch_size, generator):
            values = terms(rows.to(device))
            optimiser.zero_grad()
            values["loss"].backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            steps.append({name: value.detach() for name, value in values.items()})
        means = {
            name: float(torch.stack([step[name] for step in steps]).mean()) for name in steps[0]
        }
        curve.append({"epoch": epoch, **means})
    return tuple(curve)
