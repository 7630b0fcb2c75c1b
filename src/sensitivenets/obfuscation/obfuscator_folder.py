"""An obfuscator on disk: safetensors and a JSON file beside it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sensitivenets.atomic import atomic_folder
from sensitivenets.errors import InputError, ModelFolderError
from sensitivenets.obfuscation.networks import Obfuscator
from sensitivenets.obfuscation.settings import ObfuscationSettings
from sensitivenets.obfuscation.training import Trained
from sensitivenets.version import __version__

_FORMAT = 1
_WEIGHTS, _CONFIG = "model.safetensors", "config.json"


def save_obfuscator(
    folder: Path, trained: Trained, settings: ObfuscationSettings, facts: dict[str, str]
) -> None:
    """Write an obfuscator, whole or not at all.

    Parameters
    ----------
    folder : Path
        To make, or to replace.
    trained : Trained
        As `train_obfuscator` returns it.
    settings : ObfuscationSettings
        As it was trained.
    facts : dict of str to str
        What else a reader must know: the attribute, the checksum of the face network.
    """
    config = {
        "format": _FORMAT,
        "kind": "obfuscator",
        "library_version": __version__,
        "settings": asdict(settings),
        "facts": facts,
        "curve": list(trained.curve),
    }
    with atomic_folder(folder) as temporary:
        state = {n: v.contiguous() for n, v in trained.obfuscator.state_dict().items()}
        save_file(state, temporary / _WEIGHTS)
        (temporary / _CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")


def load_obfuscator(folder: Path) -> Obfuscator:
    """Read an obfuscator, ready to apply.

    Raises
    ------
    ModelFolderError
        If the folder is missing, damaged, or of another kind or a newer version.
    """
    config = _config(folder)
    try:
        settings = ObfuscationSettings(**config["settings"])
        obfuscator = Obfuscator(settings.width, settings.strength)
        obfuscator.load_state_dict(load_file(folder / _WEIGHTS))
    except (InputError, KeyError, TypeError, OSError, RuntimeError, SafetensorError) as error:
        raise ModelFolderError(f"{folder}: damaged obfuscator; {error}") from error
    return obfuscator.eval()


def _config(folder: Path) -> dict[str, Any]:
    path = folder / _CONFIG
    try:
        config: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelFolderError(f"{path}: expected an obfuscator's settings; {error}") from error
    if not isinstance(config, dict) or config.get("kind") != "obfuscator":
        raise ModelFolderError(f"{folder}: expected an obfuscator, found another model")
    if config.get("format") != _FORMAT:
        raise ModelFolderError(
            f"{folder}: format {config.get('format')!r}; this version reads {_FORMAT}"
        )
    return config
