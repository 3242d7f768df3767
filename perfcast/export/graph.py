"""From a Keras model to a canonical inference graph, without the weights' values unless they are wanted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.weightless import LARGEST_GRAPH, WEIGHT_ATTRIBUTE, canonicalise, embed, forces_xla

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

_POSITIVE = re.compile(r"gamma|variance|scale")
_CENTRED = re.compile(r"beta|mean|bias")


@dataclass(frozen=True)
class WeightlessGraph:
    """A canonical inference graph and what a runner has to know of it.

    Attributes:
        serialized: the GraphDef's bytes, identical whatever the process exported before.
        interface: the descriptor's key `graph`: inputs, outputs, weights, whether XLA is forced.
    """

    serialized: bytes
    interface: dict[str, Any]


def trace_weightless(
    model: keras.Model, shapes: Sequence[Sequence[int]] = (), *, keep_values: bool = False
) -> WeightlessGraph:
    """Trace the inference graph of ``model`` with a placeholder for each weight, or with the weights' values.

    The first axis of each input, the batch, stays open. Without values the model may have been built in a
    `keras.StatelessScope`: no value of a weight is needed or made.

    Args:
        model: any Keras model with inputs.
        shapes: of its inputs, without the batch axis, where it leaves them open; its own where left out.
        keep_values: whether the weights' values are constants of the graph instead of placeholders.

    Raises:
        SourceError: the values are more than a graph can hold.
    """
    import tensorflow as tf

    variables = model.variables
    inputs = input_specs(model, shapes)
    weights = [tf.TensorSpec(v.shape, v.dtype, name=f"weight_{i}") for i, v in enumerate(variables)]
    traced = tf.function(_inference(model, variables), autograph=False).get_concrete_function(inputs, weights)
    graph = traced.graph.as_graph_def()
    used = _keep_used_weights(graph, distributions_of(model))
    if keep_values:
        _embed_values(graph, used, variables)
    canonicalise(graph)
    drawn = [] if keep_values else [weight for weight in weights if weight.name in used]
    return WeightlessGraph(
        serialized=graph.SerializeToString(deterministic=True),
        interface={
            "inputs": describe_inputs(model, inputs),
            "outputs": [describe_tensor(t, t.name, key="tensor") for t in traced.outputs],
            "graph_forces_xla": forces_xla(graph),
            "weights": len(drawn),
            "weight_bytes": sum(math.prod(weight.shape) * weight.dtype.size for weight in drawn),
        },
    )


def _embed_values(graph: Any, used: set[str], variables: list[Any]) -> None:
    import numpy as np

    size = sum(math.prod(variables[_index(name)].shape) * np.dtype("float32").itemsize for name in used)
    if size > LARGEST_GRAPH:
        raise SourceError(f"its weights take {size / 1e9:.1f} GB; a graph can hold 2 GB of values")
    for node in graph.node:
        if node.name in used:
            embed(node, np.asarray(variables[_index(node.name)]))


def _index(name: str) -> int:
    return int(name.removeprefix("weight_"))


def _inference(model: keras.Model, variables: list[Any]) -> Any:
    import keras
    import tensorflow as tf

    def infer(inputs: list[Any], weights: list[Any]) -> Any:
        bound = list(zip(variables, weights, strict=True))
        # Leaving a scope initialises all pending variables unless told not to.
        with keras.StatelessScope(state_mapping=bound, initialize_variables=False):
            outputs = model(inputs if len(inputs) > 1 else inputs[0], training=False)
        return tf.nest.flatten(outputs)

    return infer


def input_specs(model: keras.Model, shapes: Sequence[Sequence[int]]) -> list[Any]:
    """Return the specification of each input, `input_0` first; without ``shapes`` they are the model's own."""
    import tensorflow as tf

    known = [(None, *shape) for shape in shapes] or [tensor.shape for tensor in model.inputs]
    types = [tensor.dtype for tensor in model.inputs]
    return [tf.TensorSpec(*pair, name=f"input_{i}") for i, pair in enumerate(zip(known, types, strict=True))]


def describe_inputs(model: keras.Model, specs: Sequence[Any]) -> list[dict[str, Any]]:
    """Return what a runner has to know of each input; of an index also `below`, how many there are."""
    return [describe_tensor(spec, spec.name) | limit for spec, limit in zip(specs, _limits(model), strict=True)]


def describe_tensor(tensor: Any, name: str, key: str = "node") -> dict[str, Any]:
    """Return what a runner has to know of a tensor whose first axis is the batch, under its name's ``key``."""
    shape = [None if size is None else int(size) for size in tensor.shape[1:]]
    return {key: name, "shape": shape, "dtype": tensor.dtype.name}


def _limits(model: keras.Model) -> list[dict[str, int]]:
    """Return `below` of each input that an embedding reads: how many rows that has."""
    import keras

    rows: dict[int, int] = {}
    for layer in model._flatten_layers():
        nodes = layer._inbound_nodes if isinstance(layer, keras.layers.Embedding) else ()
        for tensor in (tensor for node in nodes for tensor in node.input_tensors):
            rows[id(tensor)] = min(rows.get(id(tensor), layer.input_dim), layer.input_dim)
    return [{"below": rows[id(tensor)]} if id(tensor) in rows else {} for tensor in model.inputs]


def distributions_of(model: keras.Model) -> dict[str, str]:
    """Return the distribution that each weight is drawn from, by name: `weight_<place in model.variables>`.

    Kernels follow He et al. 2015 (arXiv:1502.01852), so that activations neither vanish nor explode;
    variances and scales are positive; nothing is constant, since equal values are not typical.
    """
    owners = {id(v): layer for layer in model._flatten_layers() for v in layer._trainable_variables}
    found = {}
    for index, variable in enumerate(model.variables):
        name = variable.path.rsplit("/", 1)[-1]
        if _POSITIVE.search(name):
            text = "uniform(0.5,1.5)"
        elif _CENTRED.search(name) or len(variable.shape) < 2:
            text = "normal(0.0,0.1)"
        else:
            text = f"normal(0.0,{math.sqrt(2 / _fan_in(variable, name, owners.get(id(variable)))):.6g})"
        found[f"weight_{index}"] = text
    return found


def _fan_in(variable: Any, name: str, layer: Any) -> int:
    depthwise = "depthwise" in name or type(layer).__name__.startswith("DepthwiseConv")
    return max(1, math.prod(variable.shape[:-2] if depthwise else variable.shape[:-1]))


def _keep_used_weights(graph: Any, distributions: dict[str, str]) -> set[str]:
    """Mark the weights that inference reads, drop the others (random states, counters); return their names."""
    read = {name.split(":")[0].lstrip("^") for node in graph.node for name in node.input}
    for node in [node for node in graph.node if node.name in distributions]:
        if node.name in read:
            node.attr[WEIGHT_ATTRIBUTE].s = distributions[node.name].encode()
        else:
            graph.node.remove(node)
    return read & distributions.keys()
