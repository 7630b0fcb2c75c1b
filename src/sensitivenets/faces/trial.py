"""What a network really does, found out with two pictures before any photograph is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import normalise_rows
from sensitivenets.errors import InputError
from sensitivenets.faces.network_files import NetworkFiles
from sensitivenets.faces.session import open_session, run_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_SECONDS = 60.0
_REALS: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
}
_PIXELS: dict[str, type[np.generic]] = _REALS | {"tensor(uint8)": np.uint8}
# Of unit rows: pictures of different colours are further apart in any embedding of use.
_SAME = 1e-5

Planes = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Call:
    """How a network is called.

    Attributes
    ----------
    input, output : str
        Their names.
    dtype : type
        Of the pixels.
    one_by_one : bool
        Whether it takes one crop at a time.
    """

    input: str
    output: str
    dtype: type[np.generic]
    one_by_one: bool

    def feed(self, planes: Planes) -> dict[str, npt.NDArray[Any]]:
        """Return what to give the network for crops, shape (n, 3, side, side)."""
        return {self.input: planes.astype(self.dtype, copy=False)}


def find_call(
    files: NetworkFiles, output: str | None, pictures: Planes, *, as_they_are: bool
) -> Call:
    """Find out how a network is called, and that what it gives are embeddings.

    Parameters
    ----------
    files : NetworkFiles
        The network.
    output : str, optional
        Name of the output that is the embedding; the only one unless given.
    pictures : ndarray of shape (2, 3, side, side), float32
        Two different ones, as the network wants them.
    as_they_are : bool
        Whether their values are whole numbers from 0 to 255.

    Returns
    -------
    Call

    Raises
    ------
    InputError
        If it takes something else, or does not give a finite embedding of each picture that tells
        them apart, within a minute and three gigabytes. The message lists its outputs.
    """
    session = open_session(files, None, limited=True)
    name, dtype, fixed = _find_input(files, session, pictures.shape, as_they_are=as_they_are)
    chosen = _find_output(files, session, output)
    call = Call(name, chosen, dtype, one_by_one=True)
    try:
        alone = np.concatenate([_rows(session, call, one[None]) for one in pictures])
        _require_embeddings(alone)
    except InputError as error:
        raise _refusal(files, session, f"given a picture, {error}") from error
    return replace(call, one_by_one=fixed or not _takes_several(session, call, pictures, alone))


def _rows(session: InferenceSession, call: Call, pictures: Planes) -> FloatArray:
    output = run_session(session, call.output, call.feed(pictures), _SECONDS)
    return rows_of(output, len(pictures))


def _takes_several(
    session: InferenceSession, call: Call, pictures: Planes, alone: FloatArray
) -> bool:
    """Say whether pictures given at once have the embeddings that each has alone."""
    try:
        rows = _rows(session, call, pictures)
    except InputError:
        return False  # a batch of one is fixed within
    scale = float(np.abs(alone).max())
    return rows.shape == alone.shape and np.allclose(rows, alone, rtol=1e-2, atol=1e-2 * scale)


def _require_embeddings(rows: FloatArray) -> None:
    if rows.shape[1] < 2:
        raise InputError("it gives one number for each, not an embedding")
    if not np.isfinite(rows).all():
        raise InputError("it gives NaN or infinite values")
    if not rows.any(axis=1).all():
        raise InputError("it gives zeros alone")
    unit = rows.copy()
    normalise_rows(unit)
    if np.abs(unit[0] - unit[1]).max() < _SAME:
        raise InputError("it gives the same embedding for another")


def rows_of(output: Any, n_crops: int) -> FloatArray:
    """Return what a network gives as rows, float32.

    Parameters
    ----------
    output : ndarray
        Of shape (n_crops, d), or with more axes of length 1.
    n_crops : int
        How many crops it was given.

    Returns
    -------
    ndarray of shape (n_crops, d), float32

    Raises
    ------
    InputError
        If it is no such array of real numbers.
    """
    if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
        kind = output.dtype if isinstance(output, np.ndarray) else type(output).__name__
        raise InputError(f"it gives values of type {kind}, expected real numbers")
    wide = [size for size in output.shape[1:] if size != 1]
    if output.ndim < 2 or len(output) != n_crops or len(wide) > 1 or 0 in output.shape:
        shape = " x ".join(map(str, output.shape)) or "one number"
        raise InputError(f"it gives an array of shape {shape}, expected {n_crops} x d")
    with np.errstate(over="ignore"):
        return output.reshape(n_crops, -1).astype(np.float32)


def _find_input(
    files: NetworkFiles, session: InferenceSession, shape: tuple[int, ...], *, as_they_are: bool
) -> tuple[str, type[np.generic], bool]:
    """Return name and type of the input, and whether it takes one crop alone."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(value.name for value in inputs) or "none"
        raise InputError(f"{files.path}: expected one input, the crops, found {names}")
    taken = inputs[0]
    _require_shape(files, list(taken.shape), shape[2])
    dtype = _PIXELS.get(taken.type)
    if dtype is None:
        raise InputError(f"{files.path}: expected an input of real numbers, found {taken.type}")
    if dtype is np.uint8 and not as_they_are:
        raise InputError(
            f"{files.path}: takes pixels as they are, uint8: say so with --network plain, or with "
            "a mean of 0 and a scale of 1"
        )
    return taken.name, dtype, taken.shape[0] == 1


def _require_shape(files: NetworkFiles, shape: list[int | str | None], side: int) -> None:
    """Refuse a network that takes something else; sizes left open are names, or None."""
    wanted: list[int | str | None] = ["n", 3, side, side]
    fits = len(shape) == len(wanted) and all(
        not isinstance(found, int) or found == expected
        for found, expected in zip(shape[1:], wanted[1:], strict=True)
    )
    if not fits or (isinstance(shape[0], int) and shape[0] > 1):
        raise InputError(
            f"{files.path}: expected an input of shape n x 3 x {side} x {side}, found "
            f"{_shown(shape)}; say what it takes with --network"
        )


def _find_output(files: NetworkFiles, session: InferenceSession, output: str | None) -> str:
    outputs = session.get_outputs()
    names = [value.name for value in outputs]
    if output is None:
        if len(names) != 1:
            raise _refusal(files, session, "expected one output, the embedding")
        output = names[0]
    if output not in names:
        raise _refusal(files, session, f"no output {output!r}")
    kind = outputs[names.index(output)].type
    if kind not in _REALS:
        raise _refusal(files, session, f"output {output!r}: expected real numbers, found {kind}")
    return output


def _refusal(files: NetworkFiles, session: InferenceSession, problem: str) -> InputError:
    outputs = [f"{v.name} ({_shown(v.shape)}, {v.type})" for v in session.get_outputs()]
    return InputError(
        f"{files.path}: {problem}; its outputs are {', '.join(outputs) or 'none'}: name the "
        "embedding by output in a file for --network, or use another network"
    )


def _shown(shape: Sequence[int | str | None] | None) -> str:
    if shape is None:
        return "unknown shape"
    return " x ".join("?" if size is None else str(size) for size in shape) or "one number"
