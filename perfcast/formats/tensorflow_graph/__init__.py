"""Readers of TensorFlow's SavedModels and frozen graphs."""

from perfcast.formats.tensorflow_graph.reading import TensorFlowModel, read_frozen_graph, read_saved_model

__all__ = ["TensorFlowModel", "read_frozen_graph", "read_saved_model"]
