"""Readers of what can be predicted but not measured: descriptors, ONNX and LiteRT files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.models.built import BuiltModel
from perfcast.models.spec import DESCRIPTOR
from perfcast.network.descriptor import validate_descriptor

if TYPE_CHECKING:
    from perfcast.models.external.options import ReadOptions


def read_folder(handle: str, options: ReadOptions) -> BuiltModel:
    """Read the descriptor in an artifact's folder."""
    from perfcast.formats.keras_json.container import read_document

    document = read_document(Path(handle) / DESCRIPTOR)
    validate_descriptor(document)
    return BuiltModel(document)


def read_onnx(handle: str, options: ReadOptions) -> BuiltModel:
    """Read an ONNX file."""
    from perfcast.formats import onnx_graph

    return BuiltModel(onnx_graph.read_onnx(Path(handle), options.shapes).descriptor())


def read_litert(handle: str, options: ReadOptions) -> BuiltModel:
    """Read a LiteRT file."""
    from perfcast.formats import tflite_graph

    return BuiltModel(tflite_graph.read_tflite(Path(handle), options.shapes).descriptor())
