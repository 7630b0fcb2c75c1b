"""Where torch trains, and what to do where there is no torch."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def training_device(name: str | None) -> torch.device:
    """Return the device of that name; the GPU if there is one, unless given.

    Raises
    ------
    ImportError
        If torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise ImportError("fitting needs torch: pip install 'sensitivenets[train]'")
    import torch

    return torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
