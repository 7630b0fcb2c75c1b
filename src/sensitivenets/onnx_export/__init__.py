"""A fitted map as ONNX, alone or behind the network that makes its input; no torch is needed."""

from sensitivenets.onnx_export.export import to_onnx
from sensitivenets.onnx_export.fuse import fuse

__all__ = ["fuse", "to_onnx"]
