"""A model that cannot be written where it should be is written elsewhere: a fit may take hours."""

from __future__ import annotations

import tempfile
from pathlib import Path

from safetensors import SafetensorError

from sensitivenets.errors import InputError
from sensitivenets.maps.base import Model
from sensitivenets.maps.model_folder import save_model


def save_or_rescue(model: Model, path: Path, *, overwrite: bool = False) -> None:
    """Do what `save_model` does; if the disk is full or gone, save to the temporary folder.

    Parameters
    ----------
    model : Model
        What a fit left behind.
    path : Path
        The folder to make.
    overwrite : bool, default=False
        Replace a model folder that is already there.

    Raises
    ------
    InputError
        If it was not written to `path`. The message says where it is instead, if anywhere.
    """
    try:
        save_model(model, path, overwrite=overwrite)
        return
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        failed = error
    try:
        elsewhere = Path(tempfile.mkdtemp(prefix="sensitivenets-")) / path.name
        save_model(model, elsewhere)
    except (OSError, SafetensorError):
        raise InputError(
            f"{path}: {reason}, and there is no room in {tempfile.gettempdir()} either: the model "
            "is lost; make room and fit again"
        ) from failed
    raise InputError(
        f"{path}: {reason}; the model is kept in {elsewhere}: make room, and move it"
    ) from failed
