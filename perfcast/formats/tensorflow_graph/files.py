"""Files of TensorFlow parsed: SavedModels, graphs, values of variables and constants, without running any of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.weightless import LARGEST_GRAPH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

_MAX_PROTO_BYTES = 2**31 - 1
_SERVE = "serve"


def parse_graph(path: Path) -> Any:
    """Return the GraphDef of a file.

    Raises:
        SourceError: the file cannot be read, or is not a graph.
    """
    from tensorflow.core.framework import graph_pb2

    graph = _parse(path, graph_pb2.GraphDef(), "frozen TensorFlow graph")
    if not graph.node:
        raise SourceError("not a frozen TensorFlow graph, or an empty one")
    return graph


def parse_meta_graph(folder: Path) -> Any:
    """Return the MetaGraphDef of a SavedModel that is for serving.

    Raises:
        SourceError: the folder is not a SavedModel, or has no graph for serving.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    path = folder / "saved_model.pb"
    if not path.is_file():
        raise SourceError("not a SavedModel: it has no file saved_model.pb")
    saved = _parse(path, saved_model_pb2.SavedModel(), "SavedModel: its saved_model.pb")
    tagged = [graph for graph in saved.meta_graphs if _SERVE in graph.meta_info_def.tags]
    untagged = [graph for graph in saved.meta_graphs if not graph.meta_info_def.tags]
    found = tagged or untagged or (saved.meta_graphs if len(saved.meta_graphs) == 1 else [])
    if not found:
        tags = ["+".join(graph.meta_info_def.tags) for graph in saved.meta_graphs]
        raise SourceError(f"holds no graph for serving; its graphs are tagged {', '.join(tags)[:300] or 'nothing'}")
    return found[0]


def _parse(path: Path, message: Any, what: str) -> Any:
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > _MAX_PROTO_BYTES:
            raise SourceError(f"not a readable {what}: larger than 2 GiB, the limit of protocol buffers")
        message.ParseFromString(path.read_bytes())
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}") from error
    except (DecodeError, RuntimeError, ValueError) as error:
        raise SourceError(f"not a readable {what}: damaged or in another format") from error
    return message


@dataclass(frozen=True)
class Checkpoint:
    """The values of a SavedModel's variables, read one by one.

    Attributes:
        reader: TensorFlow's.
        size: bytes of all values together.
        shapes, dtypes: of the values by their keys.
    """

    reader: Any
    size: int
    shapes: Mapping[str, Sequence[int]]
    dtypes: Mapping[str, Any]

    def values(self, key: str) -> np.ndarray:
        """Return a variable's values.

        Raises:
            SourceError: they are not there, or damaged.
        """
        import tensorflow as tf

        shape = self.shapes.get(key)
        if shape is None:
            raise SourceError(f"its variables lack {key[:80]!r}")
        # A reader makes room for a tensor before it looks for its values.
        if math.prod(shape) * self.dtypes[key].size > self.size:
            raise SourceError(f"its variables are damaged: {key[:80]!r} is larger than its file")
        try:
            return self.reader.get_tensor(key)
        except (tf.errors.OpError, ValueError, RuntimeError) as error:
            raise SourceError(f"its variables are damaged: the values of {key[:80]!r} cannot be read") from error


def open_checkpoint(folder: Path) -> Checkpoint:
    """Return the values in a SavedModel's folder `variables`.

    Raises:
        SourceError: there are none, or they are damaged.
    """
    import tensorflow as tf

    if not (folder / "variables.index").is_file():
        raise SourceError("its variables are missing: it has no file variables/variables.index")
    try:
        reader = tf.train.load_checkpoint(str(folder / "variables"))
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise SourceError("its variables are damaged: their index cannot be read") from error
    size = sum(path.stat().st_size for path in folder.glob("variables.data-*"))
    return Checkpoint(reader, size, reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map())


def constant_values(node: Any) -> np.ndarray:
    """Return the values of a constant.

    Raises:
        SourceError: its shape and its values do not fit each other.
    """
    from tensorflow.python.framework import tensor_util

    tensor = node.attr["value"].tensor
    sizes = [size.size for size in tensor.tensor_shape.dim]
    if min(sizes, default=0) < 0 or math.prod(sizes) > LARGEST_GRAPH:
        raise SourceError(f"constant {node.name[:80]!r} has an impossible shape: {sizes}")
    try:
        return tensor_util.MakeNdarray(tensor)
    except (ValueError, TypeError) as error:
        raise SourceError(f"constant {node.name[:80]!r} is damaged") from error
