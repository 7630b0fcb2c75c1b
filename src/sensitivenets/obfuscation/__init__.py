"""Obfuscation of photographs: what the paper calls privacy at image level, to compare with.

Needs the extras ``train``, ``onnx`` and ``faces``.
"""
