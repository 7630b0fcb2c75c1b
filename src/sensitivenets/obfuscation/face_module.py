"""A face network given as ONNX, as a torch module: gradients flow back to the pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sensitivenets.errors import InputError
from sensitivenets.faces.network import PRESETS, Description

Attributes = Mapping[str, Any]
Operator = Callable[[Sequence[Tensor], Attributes], Tensor]


@dataclass(frozen=True)
class _Step:
    operator: Operator
    inputs: tuple[str, ...]
    output: str
    attributes: Attributes


class FaceModule(nn.Module):
    """The graph of an ONNX file, frozen, one torch function a node.

    Batch normalisation that follows a convolution is folded into it, which changes the output by
    rounding alone. Operators of plain convolutional networks are known; see `OPERATORS`.

    Parameters
    ----------
    path : Path
        ONNX file with one input, planes of shape (n, 3, side, side).
    description : Description, optional
        What the network expects of its pixels; ``plain`` unless given.

    Raises
    ------
    InputError
        If the file is no ONNX, or has a node that is not known; it names the operators.
    """

    def __init__(self, path: Path, description: Description = PRESETS["plain"]) -> None:
        super().__init__()
        graph = _read(path)
        unknown = sorted({node.op_type for node in graph.node} - set(OPERATORS))
        if unknown:
            raise InputError(
                f"{path}: no gradient for the operators {', '.join(unknown)}; "
                f"known are {', '.join(sorted(OPERATORS))}"
            )
        constants = _constants(graph)
        steps = _fold([_step(node) for node in graph.node], constants)
        self._input = next(i.name for i in graph.input if i.name not in constants)
        self._output = description.output or graph.output[0].name
        # Names of tensors may hold dots and slashes, those of buffers may not.
        self._constants = {name: f"constant_{k}" for k, name in enumerate(constants)}
        for name, value in constants.items():
            self.register_buffer(self._constants[name], value)
        self._steps = steps
        self.description = description

    def forward(self, images: Tensor) -> Tensor:
        """Embed aligned RGB faces.

        Parameters
        ----------
        images : Tensor of shape (n, 3, side, side)
            In [0, 1].

        Returns
        -------
        Tensor of shape (n, d)
            Unit rows.
        """
        wanted = self.description
        planes = images if wanted.channels == "RGB" else images.flip(1)
        mean = images.new_tensor(wanted.mean).view(1, 3, 1, 1)
        values = {self._input: (planes * 255 - mean) / wanted.scale}
        values |= {name: self.get_buffer(key) for name, key in self._constants.items()}
        for step in self._steps:
            values[step.output] = step.operator(
                [values[name] for name in step.inputs], step.attributes
            )
        return functional.normalize(values[self._output].flatten(1), dim=1)


def _read(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load(str(path)).graph
    except (OSError, DecodeError) as error:
        raise InputError(f"{path}: expected an ONNX file; {error}") from error
    if not graph.node:
        raise InputError(f"{path}: expected an ONNX file with a graph, found no node")
    return graph


def _constants(graph: Any) -> dict[str, Tensor]:
    from onnx import numpy_helper

    return {
        value.name: torch.from_numpy(numpy_helper.to_array(value).copy())
        for value in graph.initializer
    }


def _step(node: Any) -> _Step:
    from onnx import helper

    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return _Step(OPERATORS[node.op_type], tuple(node.input), node.output[0], attributes)


def _fold(steps: list[_Step], constants: dict[str, Tensor]) -> tuple[_Step, ...]:
    """Put each normalisation that follows a convolution into its weights."""
    uses: dict[str, int] = {}
    for step in steps:
        for name in step.inputs:
            uses[name] = uses.get(name, 0) + 1
    folded: list[_Step] = []
    for step in steps:
        last = folded[-1] if folded else None
        if (
            step.operator is not _batch_norm
            or last is None
            or last.operator is not _conv
            or last.output != step.inputs[0]
            or uses[last.output] > 1
        ):
            folded.append(step)
            continue
        gamma, beta, mean, variance = (constants[name] for name in step.inputs[1:])
        factor = gamma / (variance + step.attributes.get("epsilon", 1e-5)).sqrt()
        weight = constants[last.inputs[1]]
        bias = constants[last.inputs[2]] if len(last.inputs) > 2 else torch.zeros_like(mean)
        names = (f"{step.output} weight", f"{step.output} bias")
        constants[names[0]] = weight * factor.view(-1, 1, 1, 1)
        constants[names[1]] = (bias - mean) * factor + beta
        folded[-1] = _Step(_conv, (last.inputs[0], *names), step.output, last.attributes)
    used = {name for step in folded for name in step.inputs}
    for name in set(constants) - used:
        del constants[name]
    return tuple(folded)


def _conv(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    pads = attributes.get("pads", [0, 0, 0, 0])
    image = inputs[0]
    if pads[:2] == pads[2:]:
        padding = (pads[0], pads[1])
    else:
        image, padding = functional.pad(image, (pads[1], pads[3], pads[0], pads[2])), (0, 0)
    convolved: Tensor = functional.conv2d(
        image,
        inputs[1],
        inputs[2] if len(inputs) > 2 else None,
        stride=tuple(attributes.get("strides", [1, 1])),
        padding=padding,
        dilation=tuple(attributes.get("dilations", [1, 1])),
        groups=attributes.get("group", 1),
    )
    return convolved


def _batch_norm(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    image, gamma, beta, mean, variance = inputs
    return functional.batch_norm(
        image, mean, variance, gamma, beta, eps=attributes.get("epsilon", 1e-5)
    )


def _prelu(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    del attributes
    return functional.prelu(inputs[0], inputs[1].flatten())


def _gemm(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    left = inputs[0].T if attributes.get("transA", 0) else inputs[0]
    right = inputs[1].T if attributes.get("transB", 0) else inputs[1]
    product: Tensor = attributes.get("alpha", 1.0) * (left @ right)
    return product.add(inputs[2], alpha=attributes.get("beta", 1.0)) if inputs[2:] else product


def _global_pool(inputs: Sequence[Tensor], attributes: Attributes) -> Tensor:
    del attributes
    return inputs[0].mean((2, 3), keepdim=True)


#: Operators of ONNX that `FaceModule` knows.
OPERATORS: dict[str, Operator] = {
    "Add": lambda inputs, _: inputs[0] + inputs[1],
    "BatchNormalization": _batch_norm,
    "Conv": _conv,
    "Flatten": lambda inputs, attributes: inputs[0].flatten(attributes.get("axis", 1)),
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "Identity": lambda inputs, _: inputs[0],
    "Mul": lambda inputs, _: inputs[0] * inputs[1],
    "PRelu": _prelu,
    "Relu": lambda inputs, _: inputs[0].relu(),
    "Sub": lambda inputs, _: inputs[0] - inputs[1],
}
