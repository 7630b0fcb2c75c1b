"""Any face network given as ONNX, and what it expects of its input."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.errors import InputError, require_int, require_real
from sensitivenets.faces.images import Image
from sensitivenets.faces.network_files import read_network
from sensitivenets.faces.session import open_session, run_session
from sensitivenets.faces.trial import find_call, rows_of

# Seconds for a few crops: beyond, it will never end.
_SECONDS = 600.0
_LARGEST_SIDE = 4096
_LARGEST = 1e9
# Bytes of a description.
_LARGEST_FILE = 1_000_000


@dataclass(frozen=True)
class Description:
    """What a network expects: pixels are (value - mean) / scale, in the order of `channels`.

    Attributes
    ----------
    side : int
        Pixels of its square input.
    channels : {"RGB", "BGR"}
        Order of the colours.
    mean : tuple of float
        Of each channel, in that order, on a scale of 0 to 255.
    scale : float
        Divides after the mean is taken off.
    crop : {"landmarks", "box"}
        What of a photograph it sees: see `alignment.align` and `alignment.cut_box`.
    output : str, optional
        Name of the output that is the embedding; the only one unless given.
    licence : str
        Of the network; written beside the embeddings.
    """

    side: int = 112
    channels: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    crop: Literal["landmarks", "box"] = "landmarks"
    output: str | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        if self.channels not in ("RGB", "BGR"):
            raise InputError(f"channels: expected RGB or BGR, found {self.channels!r:.40}")
        if self.crop not in ("landmarks", "box"):
            raise InputError(f"crop: expected landmarks or box, found {self.crop!r:.40}")
        require_int("side", self.side, minimum=1)
        if self.side > _LARGEST_SIDE:
            raise InputError(f"side: expected {_LARGEST_SIDE} pixels at most, found {self.side}")
        if not isinstance(self.mean, tuple) or len(self.mean) != 3:
            raise InputError(
                f"mean: expected one of each of three channels, found {self.mean!r:.40}"
            )
        for value in self.mean:
            require_real("mean", value, minimum=-_LARGEST, maximum=_LARGEST)
        require_real("scale", self.scale, minimum=-_LARGEST, maximum=_LARGEST)
        if abs(self.scale) < 1 / _LARGEST:
            raise InputError(f"scale: expected a number that is not zero, found {self.scale!r}")
        for name, text in (("output", self.output or ""), ("licence", self.licence)):
            if not isinstance(text, str):
                raise InputError(f"{name}: expected text, found {text!r:.40}")


PRESETS = {
    "plain": Description(),
    "arcface": Description(mean=(127.5, 127.5, 127.5), scale=127.5),
    # Cao et al. (2018): ResNet-50 as the paper of SensitiveNets uses it.
    "vggface2_resnet50": Description(
        side=224,
        channels="BGR",
        mean=(91.4953, 103.8827, 131.0912),
        crop="box",
        licence="VGGFace2: research",
    ),
}


def read_description(name: str) -> Description:
    """Return a preset, or read a description from a JSON or TOML file.

    Raises
    ------
    InputError
        If it is neither, or the file says something else.
    """
    if name in PRESETS:
        return PRESETS[name]
    path = Path(name)
    expected = f"network: expected one of {', '.join(PRESETS)}, or a JSON or TOML file"
    try:
        is_small = path.is_file() and path.stat().st_size <= _LARGEST_FILE
    except (OSError, ValueError):
        is_small = False  # no name of a file
    if not is_small:
        raise InputError(f"{expected}; found {name!r:.80}: no such file, or more than a megabyte")
    try:
        text = path.read_text(encoding="utf-8")
        found: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{expected}; {error}") from error
    known = {field.name for field in fields(Description)}
    other = sorted(set(found) - known) if isinstance(found, dict) else type(found).__name__
    if other:
        raise InputError(f"{path}: expected {', '.join(sorted(known))}; found {other!s:.200}")
    mean = found.get("mean", PRESETS["plain"].mean)
    return Description(**found | {"mean": tuple(mean) if isinstance(mean, list) else mean})


class FaceNetwork:
    """A face network, tried and ready to embed.

    Parameters
    ----------
    path : Path
        ONNX file; weights in other files have to lie beside it.
    description : Description
        What it expects.
    sha256 : str, optional
        Refuse the network if it has another checksum (see `NetworkFiles`).
    n_threads : int, optional
        Threads; all unless given.
    """

    def __init__(
        self,
        path: Path,
        description: Description,
        sha256: str | None = None,
        n_threads: int | None = None,
    ) -> None:
        files = read_network(path)
        self.path = path
        self.sha256 = files.sha256
        if sha256 is not None and sha256.lower() != self.sha256:
            raise InputError(f"{path}: expected SHA-256 {sha256}, found {self.sha256}")
        self.description = description
        plain = description.scale == 1 and not any(description.mean)
        trial = self._planes(_two_pictures(description.side))
        self._call = find_call(files, description.output, trial, as_they_are=plain)
        self._session = open_session(files, n_threads, limited=False)

    def __call__(self, crops: list[Image]) -> FloatArray:
        """Embed aligned RGB crops, each (side, side, 3).

        Returns
        -------
        ndarray of shape (n, d), float32
            Unit rows; one with NaN, or of zeros, where the network has no embedding for a crop.

        Raises
        ------
        InputError
            If the network fails, takes minutes, or gives something else than for its trial.
        """
        planes = self._planes(np.stack(crops))
        parts = np.split(planes, len(planes)) if self._call.one_by_one else [planes]
        made = []
        for part in parts:
            given = self._call.feed(part)
            output = run_session(self._session, self._call.output, given, _SECONDS)
            made.append(rows_of(output, len(part)))
        embeddings = np.concatenate(made)
        # What is too long for its square root to be finite becomes zeros, what is NaN stays so.
        with np.errstate(over="ignore", invalid="ignore"):
            normalise_rows(embeddings)
        return embeddings

    def _planes(self, crops: Image) -> FloatArray:
        """Bring crops (n, side, side, 3) to what the network was trained on, channels first."""
        wanted = self.description
        pixels = crops[:, :, :, :: 1 if wanted.channels == "RGB" else -1]
        values = (pixels.astype(np.float32) - np.array(wanted.mean, np.float32)) / np.float32(
            wanted.scale
        )
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


def _two_pictures(side: int) -> Image:
    """Draw two pictures of different colours, one lighter to the right and one to the bottom."""
    light = np.linspace(0.2, 1, side)
    across, down = np.broadcast_to(light, (side, side)), np.repeat(light[:, None], side, axis=1)
    colours = np.array([[230, 120, 60], [60, 110, 220]])
    shades = np.stack([across, down])[:, :, :, None]
    return np.asarray(shades * colours[:, None, None], dtype=np.uint8)
