"""TensorFlow Lite files as networks, read without running them."""

from perfcast.formats.tflite_graph.reader import read_tflite

__all__ = ["read_tflite"]
