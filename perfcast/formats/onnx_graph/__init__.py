"""ONNX files as networks: read without running them, and without their weights' values."""

from perfcast.formats.onnx_graph.reader import read_onnx

__all__ = ["read_onnx"]
