"""Readers of TensorFlow's own files: SavedModels and frozen graphs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.formats import tensorflow_graph
from perfcast.models.built import BuiltModel

if TYPE_CHECKING:
    from perfcast.models.external.options import ReadOptions


def read_saved_model(handle: str, options: ReadOptions) -> BuiltModel:
    """Read the folder of a SavedModel."""
    shapes, keep = options.shapes, options.keep_values
    return _built(
        tensorflow_graph.read_saved_model(Path(handle), shapes, signature=options.signature, keep_values=keep)
    )


def read_frozen_graph(handle: str, options: ReadOptions) -> BuiltModel:
    """Read the file of a frozen graph."""
    return _built(tensorflow_graph.read_frozen_graph(Path(handle), options.shapes, keep_values=options.keep_values))


def _built(read: tensorflow_graph.TensorFlowModel) -> BuiltModel:
    return BuiltModel(read.network.descriptor(), graph=(read.graph, read.interface))
