"""From a Keras model to a canonical training graph, whose variables the runner draws."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.export.graph import WeightlessGraph, describe_inputs, distributions_of, input_specs
from perfcast.export.training.batch_normalization import as_trained
from perfcast.export.training.gating import gate
from perfcast.export.training.losses import LABELS, Loss, losses_of
from perfcast.export.training.masks import mask_of
from perfcast.export.training.updates import Updates, dense
from perfcast.export.training.variables import Variables, assign, read
from perfcast.formats.weightless import canonicalise, forces_xla

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    from perfcast.export.training.optimizers import Sgd

RATE = "learning_rate"
_NEWER = ("debug_name", "validate_shape")
"""Attributes that TensorFlow 2.7 does not know; they are at their defaults."""
_NEWER_TYPES = {"TopKV2": ("Tk", "index_type")}
"""Such types, by operation: 32-bit integers."""


@dataclass(frozen=True)
class _Traced:
    """A model while its step is traced: what is trained, how, and the variables so far."""

    model: keras.Model
    trained: list[Any]
    losses: list[Loss]
    updates: Updates
    variables: Variables

    @property
    def names(self) -> dict[int, str]:
        """The name of each of the model's variables in the program, by its identity."""
        return {id(variable): f"weight_{place}" for place, variable in enumerate(self.model.variables)}

    def step(self, inputs: list[Any], labels: list[Any], rates: list[Any]) -> list[Any]:
        """Return a step's outputs, which are there once all is updated: the loss, and what `Updates.add` returns."""
        import tensorflow as tf

        resources = self._resources()
        values = {key: read(resource, resource_dtype) for key, (resource, resource_dtype) in resources.items()}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            watched = [values[id(weight)] for weight in self.trained]
            tape.watch(watched)
            loss, moved = self._forward(inputs, labels, values)
        pairs = zip(self.trained, tape.gradient(loss, watched), strict=True)
        gradients = {id(weight): dense(gradient, weight) for weight, gradient in pairs if gradient is not None}
        if not gradients:
            raise SourceError("it cannot be trained: the loss depends on none of the weights to train")
        averages = [assign(resources[key][0], value) for key, value in moved.items()]
        weights = {key: (self.names[key], resources[key][0]) for key in gradients}
        updates, touched = self.updates.add(gradients, weights, rates)
        with tf.control_dependencies([*averages, *updates]):
            return [tf.identity(value) for value in (loss, *touched)]

    def _resources(self) -> dict[int, tuple[Any, str]]:
        """Return the resource and type of each of the model's variables, by its identity."""
        names, drawn = self.names, distributions_of(self.model)
        return {
            id(v): (self.variables.add(names[id(v)], v.shape, v.dtype, drawn[names[id(v)]]), v.dtype)
            for v in self.model.variables
        }

    def _forward(self, inputs: list[Any], labels: list[Any], values: dict[int, Any]) -> tuple[Any, dict[int, Any]]:
        """Return the loss, and the new values of what a forward pass changes, such as moving averages."""
        import keras
        import tensorflow as tf

        variables = self.model.variables
        bound = [(variable, values[id(variable)]) for variable in variables]
        # Leaving a scope initialises all pending variables unless told not to.
        with as_trained(self.model, self.trained), keras.StatelessScope(bound, True, False) as scope:
            outputs = tf.nest.flatten(self.model(inputs if len(inputs) > 1 else inputs[0], training=True))
            given = iter(labels)
            terms = [
                loss(y, next(given) if loss.classes else None) for loss, y in zip(self.losses, outputs, strict=True)
            ]
            loss = tf.add_n([*terms, *self.model.losses])
        now = {id(variable): scope.get_current_value(variable) for variable in variables}
        return loss, {key: value for key, value in now.items() if value is not values[key]}


def trace_step(
    model: keras.Model, shapes: Sequence[Sequence[int]], trained: str, optimizer: type[Sgd] | None = None
) -> WeightlessGraph:
    """Trace a step of training: loss and gradients, and the update where there is an optimizer.

    No value of a weight is needed or made. The interface has, besides that of an inference graph: `losses` (one per
    output), `trained_weights` and `state_bytes` (what the optimizer keeps).

    Args:
        model: any Keras model with inputs.
        shapes: of its inputs, without the batch axis, where it leaves them open; its own where empty.
        trained: see `mask_of`.
        optimizer: one of `OPTIMIZERS`; None for gradients alone.

    Raises:
        SourceError: it cannot be trained.
    """
    import tensorflow as tf

    mask, variables = mask_of(model, trained), Variables()
    updates = Updates(mask, variables, optimizer)
    traced = _Traced(model, mask.weights, losses_of(model), updates, variables)
    inputs = input_specs(model, shapes)
    described = [loss.describe(f"label_{place}") for place, loss in enumerate(traced.losses) if loss.classes]
    labels = [tf.TensorSpec([None, *label["shape"]], LABELS, name=label["node"]) for label in described]
    rates = [tf.TensorSpec([], "float32", name=RATE)] if optimizer else []
    function = tf.function(traced.step, autograph=False).get_concrete_function(inputs, labels, rates)
    graph = function.graph.as_graph_def()
    _simplify(graph)
    outputs = [tensor.op.name for tensor in function.outputs]
    if updates.joined:
        _wait_for_asked(graph, outputs)
    _keep_needed(graph, [*outputs, updates.drawn] if updates.joined else outputs)
    if updates.joined:
        gate(graph, outputs, updates.joined, updates.drawn, partial(_dtype_in, function.graph))
    traced.variables.mark(graph)
    canonicalise(graph)
    interface = _interface(traced, graph, [*describe_inputs(model, inputs), *described], function)
    return WeightlessGraph(graph.SerializeToString(deterministic=True), interface)


def _interface(traced: _Traced, graph: Any, inputs: list[dict[str, Any]], function: Any) -> dict[str, Any]:
    used = {node.name for node in graph.node if node.op == "VarHandleOp"}
    sizes = {name: size for name, size in traced.variables.sizes_bytes.items() if name in used}
    weight_bytes = sum(sizes[name] for name in traced.names.values() if name in used)
    shared = {"shape": [], "dtype": "float32", "batched": False}
    return {
        "inputs": inputs + [shared | {"node": RATE}] * bool(traced.updates.optimizer),
        "outputs": [shared | {"tensor": tensor.name} for tensor in function.outputs],
        "graph_forces_xla": forces_xla(graph),
        "weights": len(used & set(traced.names.values())),
        "weight_bytes": weight_bytes,
        "state_bytes": sum(sizes.values()) - weight_bytes,
        "trained_weights": len(traced.trained),
        "losses": [loss.name for loss in traced.losses],
    }


def _simplify(graph: Any) -> None:
    """Remove from a GraphDef attributes that older versions do not know, and the order of variables' resources.

    Tracing has one resource wait for another, as if looking them up changed something.
    """
    from tensorflow.core.framework import types_pb2

    functions = [node for function in graph.library.function for node in function.node_def]
    for node in (*graph.node, *functions):
        if node.op == "VarHandleOp":
            del node.input[:]
        for name in _NEWER:
            if name in node.attr and not node.attr[name].s and not node.attr[name].b:
                del node.attr[name]
        for name in _NEWER_TYPES.get(node.op, ()):
            if name in node.attr and node.attr[name].type == types_pb2.DT_INT32:
                del node.attr[name]


def _wait_for_asked(graph: Any, outputs: list[str]) -> None:
    """Have outputs wait for nothing but what the step has them wait for.

    Tracing has them wait for each update, too, of which a step that draws makes only some.
    """
    nodes = {node.name: node for node in graph.node}
    for name in outputs:
        del nodes[name].input[1:]


def _dtype_in(graph: Any, tensor: str) -> Any:
    return graph.get_tensor_by_name(tensor if ":" in tensor else f"{tensor}:0").dtype


def _keep_needed(graph: Any, outputs: list[str]) -> None:
    """Remove from a GraphDef the nodes that its outputs do not need."""
    nodes = {node.name: node for node in graph.node}
    needed, waiting = set(), list(outputs)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += [given.lstrip("^").split(":")[0] for given in nodes[name].input]
    for node in nodes.values():
        if node.name not in needed:
            graph.node.remove(node)
