"""Maps, routers and sums of products by torch, on a device such as a graphics card.

Arrays go in and come out: rows are sent in blocks, weights once. Each kind of map has a form here,
a function of tensors that are on the device already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from sensitivenets.embeddings import FloatArray
from sensitivenets.embeddings.rows import row_blocks
from sensitivenets.errors import InputError
from sensitivenets.maps.affine import Affine, LowRankEdit
from sensitivenets.maps.base import FittedMap, require_features
from sensitivenets.maps.chain import Chain
from sensitivenets.maps.feature_selection import FeatureSelection
from sensitivenets.maps.fourier import FourierProjection
from sensitivenets.maps.mlp import MLP
from sensitivenets.maps.projection import Projection
from sensitivenets.maps.routed import GroupTransport, RoutedMap, Router, Stage, SubspaceMap
from sensitivenets.maps.universal_code import UniversalCode

Form = Callable[[Tensor], Tensor]
Put = Callable[[npt.NDArray[Any]], Tensor]

# Rows that are on the device at once: 128 MiB at 512 features, and some times that in between.
_ROWS = 2**16


@dataclass(frozen=True)
class OnDevice:
    """Products by torch: see `erasers.transport.passes.Products`.

    Attributes
    ----------
    device : torch.device
        Where they are made.
    """

    device: torch.device

    def maps(self, parts: Sequence[FittedMap]) -> Sequence[MapOnDevice]:
        """Return one map that does what `parts` do: rows come back when all is done."""
        if not parts:
            return ()
        whole = parts[0] if len(parts) == 1 else Chain(tuple(parts))
        return (MapOnDevice(whole, self),)

    def router(self, router: Router) -> RouterOnDevice:
        """Return a router that makes its scores there."""
        return RouterOnDevice(**router.arrays(), on=self)

    def scatter(self, rows: FloatArray, out: FloatArray) -> FloatArray:
        """Return rows.T @ rows, shape (d, d); `out` is not used."""
        del out
        there = self.put(rows)
        return np.asarray((there.T @ there).cpu().numpy())

    def put(self, array: npt.NDArray[Any]) -> Tensor:
        """Return an array as a tensor there."""
        return torch.from_numpy(np.require(array, requirements=["C", "W"])).to(self.device)

    def through(self, form: Form, X: FloatArray, out: FloatArray) -> FloatArray:
        """Write what a form makes of rows (n, d) into `out` (n, k), and return it."""
        for rows in row_blocks(len(X), _ROWS):
            out[rows] = form(self.put(X[rows])).cpu().numpy()
        return out


def products_on(name: str) -> OnDevice:
    """Return the products of a device: see `device_named`."""
    return OnDevice(device_named(name))


def device_named(name: str) -> torch.device:
    """Return a device that can be computed on.

    Parameters
    ----------
    name : str
        As torch names it: ``"cuda"``, ``"cuda:1"``, ``"cpu"``.

    Returns
    -------
    torch.device
        It has been tried.

    Raises
    ------
    InputError
        If torch finds no such device here, or it has no double precision (``"mps"``).
    """
    try:
        device = torch.device(name)
        torch.ones(1, dtype=torch.float64, device=device).item()
    except (RuntimeError, AssertionError, TypeError, ImportError) as error:
        cards = (f"cuda:{k}" for k in range(torch.cuda.device_count()))
        raise InputError(
            f"device {name!r}: expected one on which torch {torch.__version__} computes in double "
            f"precision, found {', '.join(['cpu', *cards])}; leave it out to compute with numpy, "
            "or install the torch that is built for your card"
        ) from error
    return device


@dataclass(frozen=True)
class MapOnDevice:
    """A map that is applied on a device.

    Attributes
    ----------
    map : FittedMap
        The same in numpy.
    on : OnDevice
        Where.
    """

    kind: ClassVar[str] = "on_device"

    map: FittedMap
    on: OnDevice

    @property
    def n_features_in(self) -> int:
        """Features of an input embedding."""
        return self.map.n_features_in

    @property
    def n_features_out(self) -> int:
        """Features of an output embedding."""
        return self.map.n_features_out

    def arrays(self) -> dict[str, FloatArray]:
        """Return the arrays of the map, by name."""
        return self.map.arrays()

    def __call__(self, X: FloatArray) -> FloatArray:
        """Map (n, d) to (n, k), keeping the type of `X`."""
        require_features(X, self.n_features_in)
        return self.on.through(self.form, X, np.empty((len(X), self.n_features_out), X.dtype))

    @cached_property
    def form(self) -> Form:
        """The map of tensors that are there already."""
        return _form(self.map, self.on.put)


@dataclass(frozen=True, repr=False)
class RouterOnDevice(Router):
    """A router whose scores are made on a device.

    Attributes
    ----------
    on : OnDevice
        Where.
    """

    on: OnDevice = field(kw_only=True)

    def scores(self, X: FloatArray) -> FloatArray:
        """Log posterior of each group up to a constant of the row, shape (n, groups)."""
        require_features(X, self.means.shape[1])
        return self.on.through(self.form, X, np.empty((len(X), self.n_groups), np.float32))

    @cached_property
    def form(self) -> Form:
        """The scores of tensors that are there already."""
        return _scores(self, self.on.put)


def _form(phi: FittedMap, put: Put) -> Form:
    if type(phi) not in _FORMS:
        known = ", ".join(kind.__name__ for kind in _FORMS)
        raise InputError(f"device: expected a map of {known}; found {type(phi).__name__}")
    return _FORMS[type(phi)](phi, put)


def _product(put: Put, weight: FloatArray, bias: FloatArray | None = None) -> Form:
    """Return x -> x @ weight + bias."""
    by, plus = put(weight), None if bias is None else put(bias)

    def form(x: Tensor) -> Tensor:
        out = x @ by.to(x.dtype)
        return out if plus is None else out + plus.to(x.dtype)

    return form


def _after(forms: Iterable[Form]) -> Form:
    """Return what forms do one after the other."""
    steps = list(forms)

    def form(x: Tensor) -> Tensor:
        for step in steps:
            x = step(x)
        return x

    return form


def _unit(x: Tensor) -> Tensor:
    norms = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / torch.where(norms == 0, 1.0, norms)


def _projection(phi: Projection, put: Put) -> Form:
    return _after([_product(put, phi.weight, phi.bias), _unit])


def _affine(phi: Affine, put: Put) -> Form:
    return _product(put, phi.weight, phi.bias)


def _low_rank_edit(phi: LowRankEdit, put: Put) -> Form:
    taken = _after([_product(put, phi.read, -phi.offset), _product(put, phi.write)])
    return lambda x: x - taken(x)


def _columns(phi: FeatureSelection, put: Put) -> Form:
    kept = put(np.flatnonzero(phi.kept))
    return lambda x: x[:, kept]


def _mlp(phi: MLP, put: Put) -> Form:
    *hidden, last = map(partial(_product, put), phi.weights, phi.biases)
    steps = [step for layer in hidden for step in (layer, torch.relu)]
    return _after([*steps, last, *([_unit] if phi.normalise else [])])


def _fourier(phi: FourierProjection, put: Put) -> Form:
    cosines = _product(put, phi.frequencies, phi.phases)
    return _after([cosines, torch.cos, _product(put, phi.weight, phi.bias), _unit])


def _universal_code(phi: UniversalCode, put: Put) -> Form:
    offsets = phi.offsets.astype(np.float64) / np.pi + 0.5
    half_turns = _product(put, phi.directions, offsets)
    one = float(1 / np.sqrt(phi.n_features_out))

    def form(x: Tensor) -> Tensor:
        # The cosine is not negative where half turns are even.
        odd = half_turns(_unit(x) / np.pi).floor().remainder(2)
        return one * (1 - 2 * odd)

    return form


def _routed(phi: RoutedMap, put: Put) -> Form:
    sized, scores = _of_usual_length(phi.lengths), _scores(phi.router, put)
    stages = [_by_group(_moves(stage, put)) for stage in phi.stages]

    def form(x: Tensor) -> Tensor:
        x = sized(x)
        groups = scores(x).argmax(dim=1)
        for moved in stages:
            x = _unit(moved(x, groups))
        return x

    return form


def _subspace(phi: SubspaceMap, put: Put) -> Form:
    sized, scores = _of_usual_length(phi.lengths), _scores(phi.router, put)
    coordinates, back = _product(put, phi.basis), _product(put, phi.basis.T)
    moved = _by_group(_moves(phi.transport, put))

    def form(x: Tensor) -> Tensor:
        x = sized(x)
        z = coordinates(x)
        return _unit(x + back(moved(z, scores(z).argmax(dim=1)) - z))

    return form


def _of_usual_length(lengths: FloatArray | None) -> Form:
    if lengths is None:
        return lambda x: x
    shortest, typical, longest = lengths.tolist()

    def form(x: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        other = ((norms < shortest) | (norms > longest)) & (norms > 0)
        return torch.where(other, x * (typical / norms), x)

    return form


def _scores(router: Router, put: Put) -> Form:
    means, whitening, offsets = (put(array) for array in router.arrays().values())

    def form(x: Tensor) -> Tensor:
        x = x.float()
        white = ((x - mean) @ triangle for mean, triangle in zip(means, whitening, strict=True))
        return offsets - torch.stack([z.square().sum(dim=1) for z in white], dim=1) / 2

    return form


def _moves(stage: Stage, put: Put) -> list[Form]:
    """Return where a stage moves a row of each group."""
    if isinstance(stage, GroupTransport):
        return list(map(partial(_product, put), stage.matrices, stage.offsets))
    sharpness = float(stage.sharpness[0])
    bias = -np.einsum("ij,ij->i", stage.centers, stage.centers) / 2 * sharpness
    logits = _product(put, stage.centers.T * sharpness, bias)

    def move(shifts: FloatArray) -> Form:
        step = _product(put, shifts)
        return lambda x: x + step(logits(x).softmax(dim=1))

    return list(map(move, stage.shifts))


def _by_group(moves: Sequence[Form]) -> Callable[[Tensor, Tensor], Tensor]:
    """Return what moves each row as its group moves."""

    def moved(x: Tensor, groups: Tensor) -> Tensor:
        out = torch.empty_like(x)
        for g, move in enumerate(moves):
            rows = (groups == g).nonzero()[:, 0]
            out[rows] = move(x[rows])
        return out

    return moved


def _chain(phi: Chain, put: Put) -> Form:
    return _after(_form(part, put) for part in phi.parts)


_FORMS: dict[type[Any], Callable[[Any, Put], Form]] = {
    Projection: _projection,
    Affine: _affine,
    LowRankEdit: _low_rank_edit,
    FeatureSelection: _columns,
    MLP: _mlp,
    FourierProjection: _fourier,
    UniversalCode: _universal_code,
    RoutedMap: _routed,
    SubspaceMap: _subspace,
    Chain: _chain,
}
