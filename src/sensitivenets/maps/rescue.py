"""A model that cannot be written where it should be is written elsewhere: a fit may take hours."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    with rescued(model, str(path)):
        save_model(model, path, overwrite=overwrite)


@contextmanager
def rescued(model: Model, where: str) -> Iterator[None]:
    """Save a model to the temporary folder if the disk is full or gone for what the block writes.

    Parameters
    ----------
    model : Model
        What a fit left behind.
    where : str
        What the block writes, for the message.

    Yields
    ------
    None

    Raises
    ------
    InputError
        If it was not written. The message says where the model is instead, if anywhere.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        try:
            elsewhere = Path(tempfile.mkdtemp(prefix="sensitivenets-")) / "model"
            save_model(model, elsewhere)
        except (OSError, SafetensorError):
            raise InputError(
                f"{where}: {reason}, and there is no room in {tempfile.gettempdir()} either: the "
                "model is lost; make room and fit again"
            ) from error
        raise InputError(
            f"{where}: {reason}; the model is kept in {elsewhere}: make room, and move it"
        ) from error
