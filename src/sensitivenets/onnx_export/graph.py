"""Nodes and constants of an ONNX graph, written one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sensitivenets.embeddings import FloatArray

#: Names of what we add; a network that is joined to it has others.
PREFIX = "sensitivenets"


class Graph:
    """Collects nodes; every method returns the name of a value.

    Attributes
    ----------
    nodes, constants : list
        Of the graph so far.
    """

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._n_names = 0

    def constant(self, values: Any, dtype: type[np.generic] = np.float32) -> str:
        """Add a constant."""
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype=dtype), name))
        return name

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add one operation with one output."""
        name = self._name(operator.lower())
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def affine(self, x: str, weight: FloatArray, bias: FloatArray | None = None) -> str:
        """Add x @ weight + bias."""
        product = self.node("MatMul", x, self.constant(weight))
        return product if bias is None else self.node("Add", product, self.constant(bias))

    def squared_norm(self, x: str) -> str:
        """Add the squared length of each row, shape (n, 1)."""
        axes = self.constant([1], np.int64)
        return self.node("ReduceSum", self.node("Mul", x, x), axes, keepdims=1)

    def normalise(self, x: str) -> str:
        """Add the scaling of each row to unit length; a zero row stays zero."""
        norm = self.node("Sqrt", self.squared_norm(x))
        zero = self.node("Equal", norm, self.constant(0.0))
        return self.node("Div", x, self.node("Where", zero, self.constant(1.0), norm))

    def _name(self, what: str) -> str:
        self._n_names += 1
        return f"{PREFIX}.{what}.{self._n_names}"
