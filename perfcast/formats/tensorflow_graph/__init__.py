"""Readers of TensorFlow's SavedModels and frozen graphs."""

from perfcast.formats.tensorflow_graph.model import TensorFlowModel
from perfcast.formats.tensorflow_graph.reading import read_frozen_graph, read_saved_model

__all__ = ["TensorFlowModel", "read_frozen_graph", "read_saved_model"]
