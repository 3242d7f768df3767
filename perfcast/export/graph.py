"""From a Keras model that was built without values to a weightless, canonical inference graph."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

WEIGHT_ATTRIBUTE = "_weight_distribution"
"""The attribute of a weight's placeholder: `normal(<mean>,<std>)` or `uniform(<low>,<high>)`."""

_POSITIVE = re.compile(r"gamma|variance|scale")
_CENTRED = re.compile(r"beta|mean|bias")
_FUNCTION_NAME = re.compile(r"^(?:__(?:inference|forward|backward)_)?(.*?)(?:_\d+)?$")
_PROCESS_HISTORY = ("_gradient_op_type", "_output_shapes", "_inferred_shapes")


@dataclass(frozen=True)
class WeightlessGraph:
    """A canonical inference graph and what a runner has to know of it.

    Attributes:
        serialized: the GraphDef's bytes, identical whatever the process exported before.
        interface: the descriptor's key `graph`: inputs, outputs, weights, whether XLA is forced.
    """

    serialized: bytes
    interface: dict[str, Any]


def trace_weightless(model: keras.Model) -> WeightlessGraph:
    """Trace the inference graph of ``model`` with a placeholder for each weight.

    The model may have been built in a `keras.StatelessScope`: no value of a weight is needed or made.
    The first axis of each input, the batch, stays open.
    """
    import tensorflow as tf

    variables = model.variables
    inputs = [tf.TensorSpec(t.shape, t.dtype, name=f"input_{i}") for i, t in enumerate(model.inputs)]
    weights = [tf.TensorSpec(v.shape, v.dtype, name=f"weight_{i}") for i, v in enumerate(variables)]
    traced = tf.function(_inference(model, variables), autograph=False).get_concrete_function(inputs, weights)
    graph = traced.graph.as_graph_def()
    used = _keep_used_weights(graph, _distributions(model))
    _canonicalise(graph)
    return WeightlessGraph(
        serialized=graph.SerializeToString(deterministic=True),
        interface={
            "inputs": [_node(spec, spec.name) for spec in inputs],
            "outputs": [_node(t, t.name, key="tensor") for t in traced.outputs],
            "graph_forces_xla": any(f.attr["_XlaMustCompile"].b for f in graph.library.function),
            "weights": len(used),
            "weight_bytes": sum(math.prod(w.shape) * w.dtype.size for w in weights if w.name in used),
        },
    )


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


def _node(tensor: Any, name: str, key: str = "node") -> dict[str, Any]:
    shape = [None if size is None else int(size) for size in tensor.shape[1:]]
    return {key: name, "shape": shape, "dtype": tensor.dtype.name}


def _distributions(model: keras.Model) -> dict[str, str]:
    """Return the placeholder's distribution of each weight, by placeholder name.

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


def _canonicalise(graph: Any) -> None:
    """Remove from ``graph`` what depends on what the process did before: function names, gradient names."""
    names = _canonical_function_names(graph)
    for function in graph.library.function:
        function.signature.name = names[function.signature.name]
        _clean(function.attr, names)
        for node in function.node_def:
            _rename(node, names)
    for node in graph.node:
        _rename(node, names)
    functions = sorted(graph.library.function, key=lambda function: function.signature.name)
    del graph.library.gradient[:]
    del graph.library.function[:]
    graph.library.function.extend(functions)


def _canonical_function_names(graph: Any) -> dict[str, str]:
    """Number the functions in the order in which the graph reaches them."""
    functions = {function.signature.name: function for function in graph.library.function}
    names: dict[str, str] = {}
    pending = [called for node in graph.node for called in _called(node) if called in functions]
    while pending:
        name = pending.pop(0)
        if name in names:
            continue
        match = _FUNCTION_NAME.match(name)
        names[name] = f"{match[1] if match else 'function'}_{len(names)}"
        pending += [c for node in functions[name].node_def for c in _called(node) if c in functions]
    unreachable = [function for function in graph.library.function if function.signature.name not in names]
    for function in unreachable:
        graph.library.function.remove(function)
    return names


def _called(node: Any) -> list[str]:
    functions = [node.attr[key].func.name for key in sorted(node.attr) if node.attr[key].HasField("func")]
    return [node.op, *functions]


def _rename(node: Any, names: dict[str, str]) -> None:
    node.op = names.get(node.op, node.op)
    node.ClearField("experimental_debug_info")
    _clean(node.attr, names)


def _clean(attributes: Any, names: dict[str, str]) -> None:
    for key in _PROCESS_HISTORY:
        if key in attributes:
            del attributes[key]
    for key in attributes:
        if attributes[key].HasField("func"):
            attributes[key].func.name = names.get(attributes[key].func.name, attributes[key].func.name)
