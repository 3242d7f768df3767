"""Models that Keras built or loaded: described by their configuration, asked for what that leaves open."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats.keras_json.call import Outcome, Part, Symbol
from perfcast.formats.keras_json.document import Constant
from perfcast.formats.keras_json.network import network_of
from perfcast.network.layer_types import activation_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Network, Shape


def network_of_live(model: keras.Model, shapes: Mapping[str, Shape], document: Any = None) -> Network:
    """Return the network that a live model is. Values of weights are not read.

    Args:
        model: a functional or sequential network; one built in a `keras.StatelessScope` will do.
        shapes: of its inputs, the batch of 1 first, where it leaves them open.
        document: its parsed text where that is at hand.

    Raises:
        SourceError: it is not a graph of layers, or a shape is unknown without running it.
        UsageError: `shapes` do not fit its inputs, or an input stays open.
    """
    import keras

    if not isinstance(model, keras.Function | keras.Sequential):
        raise SourceError("only functional and sequential networks can be described")
    text = json.loads(model.to_json()) if document is None else document
    return network_of(text, shapes, partial(_outcome, _operations(model, "")))


def _operations(model: Any, prefix: str) -> dict[str, Any]:
    """Return a model's layers by their paths, those that others wrap by their names."""
    found: dict[str, Any] = {}
    for layer in model.layers:
        path, wrapped = f"{prefix}{layer.name}", getattr(layer, "layer", None)
        found |= {path: layer} | (_operations(layer, f"{path}/") if hasattr(layer, "layers") else {})
        if wrapped is not None:
            found.setdefault(wrapped.name, wrapped)
    return found


def _outcome(operations: Mapping[str, Any], path: str, call: Call) -> Outcome:
    """Return what a layer says of its own call."""
    import keras

    layer = operations.get(path)
    if layer is None:
        call.refuse("cannot be described without running it")
    arguments, options = keras.tree.map_structure(_tensor, (call.arguments, call.options))
    outputs = keras.tree.flatten(keras.Operation.compute_output_spec(layer, *arguments, **options))
    if any(None in output.shape[1:] for output in outputs):
        call.refuse(f"has an output shape that is not fixed: {outputs[0].shape[1:]}")
    trained = {id(weight) for weight in layer.trainable_weights}
    function = getattr(layer, "activation", None)
    return Outcome(
        tuple((1, *output.shape[1:]) for output in outputs),
        tuple(Part(str(at), math.prod(v.shape), id(v) in trained) for at, v in enumerate(layer.weights)),
        activation=activation_name(getattr(function, "__name__", type(function).__name__)) if function else None,
        dtype=outputs[0].dtype,
    )


def _tensor(value: Any) -> Any:
    import keras

    if isinstance(value, Symbol):
        return keras.KerasTensor((None, *value.shape[1:]), dtype=value.dtype)
    return keras.ops.convert_to_tensor(value.values) if isinstance(value, Constant) else value
