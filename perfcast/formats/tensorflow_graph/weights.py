"""Weights of a frozen graph: their values embedded, or a placeholder that says what to draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.tensorflow_graph.allowed import VARIABLES
from perfcast.formats.tensorflow_graph.files import constant_values
from perfcast.formats.weightless import (
    LARGEST_GRAPH,
    WEIGHT_ATTRIBUTE,
    canonicalise,
    distribution_of,
    embed,
    replace_by_placeholder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import numpy as np

    from perfcast.formats.tensorflow_graph.freezing import Frozen
    from perfcast.network.network import Shape

LARGE = 1024
"""Elements of the smallest constant that a placeholder may stand for."""


@dataclass(frozen=True)
class Kind:
    """What a constant or variable is like.

    Attributes:
        dtype: its type's number in a GraphDef.
        shape: its whole shape.
        distribution: what its values are drawn from where they are left out, empty where they are kept.
    """

    dtype: int
    shape: Shape
    distribution: str = ""

    @property
    def elements(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)


def replace_weights(
    frozen: Frozen, read: Callable[[str], np.ndarray], *, keep_values: bool
) -> tuple[dict[str, Any], dict[str, Kind]]:
    """Return the nodes that stand for variables and large constants in the graph to run, and what they are like.

    Args:
        frozen: the graph.
        read: returns the values of the variable of that node.
        keep_values: whether all values stay.

    Raises:
        SourceError: values are missing or damaged, or too many to be kept in a graph.
    """
    nodes: dict[str, Any] = {}
    kinds: dict[str, Kind] = {}
    kept = 0
    for node in frozen.nodes:
        if node.name not in frozen.variables and not is_float_constant(node):
            continue
        copy = type(node)()
        copy.CopyFrom(node)
        kind = _place(copy, read, keep_values)
        nodes[node.name], kinds[node.name] = copy, kind
        kept += 0 if kind.distribution else copy.ByteSize()
        if kept > LARGEST_GRAPH:
            raise SourceError("its weights take more than the 2 GB of values that a graph can hold")
    return nodes, kinds


def _place(node: Any, read: Callable[[str], np.ndarray], keep_values: bool) -> Kind:
    """Make a node what it is in the graph to run."""
    import tensorflow as tf

    if node.op == "Placeholder":
        shape = tuple(size.size for size in node.attr["shape"].shape.dim)
        return Kind(node.attr["dtype"].type, shape, node.attr[WEIGHT_ATTRIBUTE].s.decode(errors="replace"))
    variable = node.op in VARIABLES
    values = read(node.name) if variable else constant_values(node)
    dtype = tf.dtypes.as_dtype(values.dtype)
    distribution = ""
    if values.size >= LARGE and not keep_values and dtype.is_floating:
        distribution = distribution_of(values)
        replace_by_placeholder(node, dtype.as_datatype_enum, values.shape, distribution)
    elif variable:
        embed(node, values)
    return Kind(dtype.as_datatype_enum, values.shape, distribution)


def is_float_constant(node: Any) -> bool:
    """Tell whether a node holds floats, or stands for a weight that does."""
    if node.op == "Placeholder":
        return WEIGHT_ATTRIBUTE in node.attr
    return node.op == "Const" and type_of(node.attr["dtype"].type, node.name).is_floating


def type_of(number: int, name: str) -> Any:
    """Return TensorFlow's type of that number in a GraphDef.

    Raises:
        SourceError: there is none; the message names `name`.
    """
    import tensorflow as tf

    try:
        return tf.dtypes.as_dtype(number)
    except TypeError as error:
        raise SourceError(f"{name[:80]!r} has no type known to TensorFlow") from error


def assemble(
    frozen: Frozen, versions: Any, inputs: Mapping[str, tuple[int, Sequence[int | None]]], weights: Mapping[str, Any]
) -> Any:
    """Return a canonical GraphDef.

    Args:
        frozen: the graph.
        versions: what it says of the TensorFlow that wrote it.
        inputs: type and whole shape of the inputs' placeholders, by their names.
        weights: nodes in the place of those of the same name.
    """
    from tensorflow.core.framework import graph_pb2

    graph = graph_pb2.GraphDef()
    graph.versions.CopyFrom(versions)
    for name, (dtype, shape) in inputs.items():
        replace_by_placeholder(graph.node.add(name=name), dtype, tuple(shape))
    for node in frozen.nodes:
        graph.node.add().CopyFrom(weights.get(node.name, node))
    for node in graph.node:
        names = [name.removesuffix(":0") for name in node.input]
        del node.input[:]
        node.input.extend(names)
    graph.library.function.extend(frozen.functions)
    canonicalise(graph)
    return graph


def placeholders(kinds: Mapping[str, Kind], names: Iterable[str]) -> dict[str, Any]:
    """Return placeholders that have the shapes of weights, without values, by the weights' names."""
    from tensorflow.core.framework import node_def_pb2

    nodes = {}
    for name in names:
        node = node_def_pb2.NodeDef(name=name)
        replace_by_placeholder(node, kinds[name].dtype, kinds[name].shape)
        nodes[name] = node
    return nodes
