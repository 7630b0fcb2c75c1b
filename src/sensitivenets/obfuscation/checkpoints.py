"""Training that can be taken up again: weights and the state of Adam, without pickle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sensitivenets.atomic import atomic_file
from sensitivenets.errors import InputError

#: A network and its optimiser, if it has one.
TrainedNetwork = tuple[nn.Module, torch.optim.Optimizer | None]


class Checkpoint:
    """A safetensors file of networks and their optimisers.

    Parameters
    ----------
    path : Path or None
        Where; None writes nothing and restores nothing.
    settings : dict
        JSON values; a file of other settings is refused.
    networks : sequence of (Module, Adam or None)
        What is saved and restored, in order.
    """

    def __init__(
        self, path: Path | None, settings: dict[str, Any], networks: Sequence[TrainedNetwork]
    ) -> None:
        self._path = path
        self._settings = json.loads(json.dumps(settings))
        self._networks = networks

    def write(self, curve: list[dict[str, float]]) -> None:
        """Write the present state and the records of the epochs done, whole or not at all."""
        if self._path is None:
            return
        tensors = {name: value.contiguous() for name, value in self._tensors()}
        notes = {"settings": json.dumps(self._settings), "curve": json.dumps(curve)}
        with atomic_file(self._path) as temporary:
            save_file(tensors, temporary, notes)

    def restore(self) -> list[dict[str, float]]:
        """Load the state if the file is there; return the records of the epochs done.

        Raises
        ------
        InputError
            If the file is damaged, or of other settings or networks.
        """
        if self._path is None or not self._path.exists():
            return []
        try:
            with safe_open(self._path, "pt") as opened:
                notes = opened.metadata() or {}
                found = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise InputError(f"{self._path}: expected a checkpoint; {error}; delete it") from error
        if json.loads(notes.get("settings", "null")) != self._settings:
            raise InputError(
                f"{self._path}: a checkpoint of other settings; delete it to train anew"
            )
        for k, (network, optimiser) in enumerate(self._networks):
            _restore_network(network, found, f"{k}.network.")
            if optimiser is not None:
                _restore_optimiser(optimiser, found, f"{k}.optimiser.")
        curve: list[dict[str, float]] = json.loads(notes["curve"])
        return curve

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for k, (network, optimiser) in enumerate(self._networks):
            for name, value in network.state_dict().items():
                yield f"{k}.network.{name}", value
            if optimiser is None:
                continue
            for number, state in optimiser.state_dict()["state"].items():
                for name, value in state.items():
                    yield f"{k}.optimiser.{number}.{name}", value


def _restore_network(network: nn.Module, found: dict[str, Tensor], prefix: str) -> None:
    network.load_state_dict({
        n.removeprefix(prefix): v for n, v in found.items() if n.startswith(prefix)
    })


def _restore_optimiser(
    optimiser: torch.optim.Optimizer, found: dict[str, Tensor], prefix: str
) -> None:
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in found.items():
        if name.startswith(prefix):
            number, _, which = name.removeprefix(prefix).partition(".")
            states.setdefault(int(number), {})[which] = value
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
