"""Any face network given as ONNX, and what it expects of its input."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.errors import InputError
from sensitivenets.faces.images import Image


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
        Name of the output to read; the only one unless given.
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
        if self.channels not in {"RGB", "BGR"}:
            raise InputError(f"channels: expected RGB or BGR, found {self.channels!r}")
        if self.crop not in {"landmarks", "box"}:
            raise InputError(f"crop: expected landmarks or box, found {self.crop!r}")
        if not isinstance(self.side, int) or self.side < 1:
            raise InputError(f"side: expected pixels, at least 1, found {self.side!r}")
        if len(self.mean) != 3 or not self.scale:
            raise InputError("expected a mean for each of three channels, and a scale not zero")


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
    try:
        text = path.read_text(encoding="utf-8")
        found: Any = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise InputError(
            f"network: expected one of {', '.join(PRESETS)}, or a JSON or TOML file; {error}"
        ) from error
    known = {field.name for field in fields(Description)}
    if not isinstance(found, dict) or set(found) - known:
        raise InputError(f"{path}: expected {', '.join(sorted(known))}; found {sorted(found)}")
    return Description(**found | ({"mean": tuple(found["mean"])} if "mean" in found else {}))


class FaceNetwork:
    """A face network, ready to embed.

    Parameters
    ----------
    path : Path
        ONNX file.
    description : Description
        What it expects.
    sha256 : str, optional
        Refuse the file if it has another checksum.
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
        import onnxruntime

        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: expected an ONNX file; {error.strerror}") from error
        self.sha256 = hashlib.sha256(content).hexdigest()
        if sha256 is not None and sha256.lower() != self.sha256:
            raise InputError(f"{path}: expected SHA-256 {sha256}, found {self.sha256}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads or 0
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=onnxruntime.get_available_providers()
            )
        except Exception as error:
            # onnxruntime has a class of error for each way to fail, and no common base.
            raise InputError(f"{path}: onnxruntime cannot read it: {error}") from error
        self.description = description
        taken = self._session.get_inputs()[0]
        self._input, self._one_by_one = taken.name, taken.shape[:1] == [1]
        _check_input(path, taken.shape, description.side)
        self._output = description.output or self._session.get_outputs()[0].name
        names = [value.name for value in self._session.get_outputs()]
        if self._output not in names:
            raise InputError(f"{path}: no output {self._output!r}; it has {', '.join(names)}")

    def __call__(self, crops: list[Image]) -> FloatArray:
        """Embed aligned RGB crops, each (side, side, 3); unit rows (n, d), float32."""
        wanted = self.description
        pixels = np.stack(crops)[:, :, :, :: 1 if wanted.channels == "RGB" else -1]
        values = (pixels.astype(np.float32) - np.array(wanted.mean, np.float32)) / np.float32(
            wanted.scale
        )
        planes = np.ascontiguousarray(values.transpose(0, 3, 1, 2))
        parts = np.split(planes, len(planes)) if self._one_by_one else [planes]
        rows = [self._session.run([self._output], {self._input: part})[0] for part in parts]
        embeddings = np.array(rows, dtype=np.float32).reshape(len(crops), -1)
        normalise_rows(embeddings)
        return embeddings


def _check_input(path: Path, shape: list[int | str | None], side: int) -> None:
    """Refuse a network that takes something else; sizes left open are names, or None."""
    wanted: list[int | str | None] = ["n", 3, side, side]
    fits = len(shape) == len(wanted) and all(
        not isinstance(found, int) or found == expected
        for found, expected in zip(shape[1:], wanted[1:], strict=True)
    )
    if not fits or (isinstance(shape[0], int) and shape[0] > 1):
        raise InputError(
            f"{path}: expected an input of shape n x 3 x {side} x {side}, found "
            f"{' x '.join(map(str, shape))}; say what it takes with --network"
        )
