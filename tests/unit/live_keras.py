"""The descriptor of a live Keras model: its layers one by one, nested models flattened."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.network.descriptor import identified
from perfcast.network.layer_types import activation_name, layout_of
from perfcast.network.macs import repeated_macs
from perfcast.network.network import Layer, Network, Tensor, Weight
from tests.unit.live_keras_macs import NO_ARGUMENTS, count_macs

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import keras

    from perfcast.models.spec import ModelSpec
    from perfcast.network.network import Shape
    from tests.unit.live_keras_macs import Arguments


def describe(model: keras.Model, spec: ModelSpec, shapes: Sequence[Sequence[int]] = ()) -> dict[str, Any]:
    """Return the descriptor of a network, all of `model.json` but its key `graph`.

    Layers of nested models are named `<nested model>/<layer>`; the second call of a shared layer `x` is
    `x@2`, with its weights counted at the first. Operations that are no layers are listed too. Values of
    weights are not read, so a model built in a `keras.StatelessScope` will do. Shapes have the channels last, also
    those of layers that take them first.

    Args:
        model: a functional or sequential network.
        spec: what it was built from.
        shapes: of its inputs, without the batch axis, where it leaves them open; the spec's and its own where
            left out.

    Raises:
        SourceError: the model is not a graph of layers, or a shape is unknown without running it.
    """
    function = _function_of(model)
    if function is None:
        raise SourceError(f"{spec.model}: only functional and sequential networks can be described")
    flattener = _Flattener(spec.model)
    if not shapes:
        only_one = len(function.inputs) == 1
        shapes = [spec.input_shape] if only_one else [tensor.shape[1:] for tensor in function.inputs]
    inputs = [flattener.add_input(*pair) for pair in zip(function.inputs, shapes, strict=True)]
    outputs = flattener.walk(function, inputs, prefix="")
    entries, exits = (tuple(tensor.name for tensor in tensors) for tensors in (inputs, outputs))
    body = Network(entries, exits, tuple(flattener.layers)).descriptor()
    return identified(body, spec.model, spec.name, spec.family, spec.source)


@dataclass(frozen=True)
class _Tensor:
    """A tensor of the flattened network: a name that no other one has, and what Keras knows of it."""

    name: str
    symbol: keras.KerasTensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.symbol.shape[1:])


@dataclass
class _Flattener:
    model: str
    layers: list[Layer] = field(default_factory=list)

    def add_input(self, symbol: keras.KerasTensor, shape: Sequence[int]) -> _Tensor:
        """Add the layer of one of the network's inputs."""
        import keras

        layer = symbol._keras_history.operation
        actual = keras.KerasTensor((symbol.shape[0], *shape), dtype=symbol.dtype)
        if len(shape) != len(symbol.shape) - 1 or any(
            known not in (None, size) for known, size in zip(symbol.shape[1:], shape, strict=True)
        ):
            raise SourceError(f"{self.model}: takes inputs of shape {symbol.shape[1:]}, not {tuple(shape)}")
        return self._add(layer, layer.name, [], [actual])[0]

    def walk(self, function: keras.Function, inputs: Sequence[_Tensor], prefix: str) -> list[_Tensor]:
        """Add the layers of a network that is called on `inputs`; return its outputs."""
        tensors = {id(symbol): tensor for symbol, tensor in zip(function.inputs, inputs, strict=True)}
        for node in _nodes_of(function):
            read = [tensors[id(symbol)] for symbol in node.input_tensors]
            name = prefix + node.operation.name
            inner = _function_of(node.operation)
            if inner is None:
                arguments = node.arguments.fill_in({key: tensor.symbol for key, tensor in tensors.items()})
                symbols = _outputs_of(node, tensors, arguments)
                returned = self._add(node.operation, name, read, symbols, arguments)
            else:
                # What follows the inner inputs are masks and the like.
                returned = self.walk(inner, read[: len(inner.inputs)], prefix=f"{name}/")
            tensors |= {id(symbol): tensor for symbol, tensor in zip(node.outputs, returned, strict=True)}
        return [tensors[id(symbol)] for symbol in function.outputs]

    def _add(
        self,
        operation: keras.Operation,
        name: str,
        read: list[_Tensor],
        symbols: list[keras.KerasTensor],
        arguments: Arguments = NO_ARGUMENTS,
    ) -> list[_Tensor]:
        returned = [_Tensor(f"{len(self.layers)}:{index}", symbol) for index, symbol in enumerate(symbols)]
        for tensor in returned:
            if None in tensor.shape:
                raise SourceError(f"{self.model}: the output shape of layer {name} is not fixed: {tensor.shape}")
        inputs, outputs = [tensor.shape for tensor in read], [tensor.shape for tensor in returned]
        kind = type(operation).__name__
        layer = Layer(
            name=name,
            type=kind,
            inputs=tuple(tensor.name for tensor in read),
            outputs=tuple(Tensor(tensor.name, tensor.shape, tensor.symbol.dtype) for tensor in returned),
            weights=_weights(operation),
            macs=self._count_macs(operation, read, inputs, outputs, arguments),
            layout=layout_of(kind, getattr(operation, "data_format", None)),
            **_geometry(operation, inputs, outputs),
        )
        self.layers.append(layer)
        return returned

    def _count_macs(
        self,
        operation: keras.Operation,
        read: list[_Tensor],
        inputs: Sequence[Shape],
        outputs: Sequence[Shape],
        arguments: Arguments,
    ) -> int:
        from keras import KerasTensor, layers

        inner = _function_of(operation.layer) if isinstance(operation, layers.TimeDistributed) else None
        if inner is None:
            return count_macs(operation, inputs, outputs, arguments)
        flattener = _Flattener(self.model)
        step = KerasTensor((None, *inputs[0][1:]), dtype=read[0].symbol.dtype)
        flattener.walk(inner, [_Tensor("step", step)], prefix="")
        return repeated_macs(inputs[0][0], sum(layer.macs for layer in flattener.layers))


def _weights(operation: keras.Operation) -> tuple[Weight, ...]:
    trainable = {id(weight) for weight in getattr(operation, "trainable_weights", ())}
    return tuple(
        Weight(str(id(weight)), math.prod(weight.shape), id(weight) in trainable)
        for weight in getattr(operation, "weights", ())
    )


def _function_of(operation: keras.Operation) -> keras.Function | None:
    import keras

    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if isinstance(operation, keras.Function) else None


def _nodes_of(function: keras.Function) -> Iterator[Any]:
    # The order in which Keras itself runs them; no public attribute has it.
    for _, nodes in sorted(function._nodes_by_depth.items(), reverse=True):
        yield from (node for node in nodes if not node.is_input)


def _outputs_of(node: Any, tensors: dict[int, _Tensor], filled: Arguments) -> list[keras.KerasTensor]:
    from keras import Operation, layers, tree

    outputs = node.outputs
    arguments, options = filled
    if any(tensors[id(symbol)].symbol.shape != symbol.shape for symbol in node.input_tensors):
        # A nested network that is called at another shape than it was built at.
        outputs = tree.flatten(node.operation.compute_output_spec(*arguments, **options))
    # Keras says that the scores of attention are as many as there are queries, not as there are keys.
    has_scores = isinstance(node.operation, layers.MultiHeadAttention) and len(outputs) > 1
    if has_scores or any(None in symbol.shape[1:] for symbol in outputs):
        # What the layer says of its own shape leaves sizes open; tracing it does not.
        outputs = tree.flatten(Operation.compute_output_spec(node.operation, *arguments, **options))
    return outputs


def _geometry(operation: Any, inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]]) -> dict[str, Any]:
    from keras import layers

    while isinstance(operation, layers.SpectralNormalization):
        operation = operation.layer
    depthwise = _classes("DepthwiseConv1D DepthwiseConv2D SeparableConv1D SeparableConv2D")
    convolutions = _classes("Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose")
    kernel = getattr(operation, "kernel_size", None) or getattr(operation, "pool_size", None)
    groups = filters = None
    if isinstance(operation, depthwise):
        axis = -1 if operation.data_format == "channels_last" else 0
        groups, filters = inputs[0][axis], outputs[0][axis]
    elif isinstance(operation, convolutions):
        groups, filters = getattr(operation, "groups", 1), operation.filters
    return {
        "kernel": _whole_numbers(kernel),
        "strides": _whole_numbers(getattr(operation, "strides", None)),
        "dilation": _whole_numbers(getattr(operation, "dilation_rate", None)),
        "groups": groups,
        "filters": filters,
        "units": operation.units if isinstance(operation, layers.Dense) else None,
        "activation": _activation(operation),
    }


def _classes(names: str) -> tuple[Any, ...]:
    from keras import layers

    return tuple(getattr(layers, name) for name in names.split())


def _whole_numbers(value: Any) -> tuple[int, ...] | None:
    values = [value] if isinstance(value, int) else value
    if isinstance(values, list | tuple) and all(isinstance(item, int) for item in values):
        return tuple(values)
    return None


def _activation(operation: keras.Operation) -> str | None:
    if not hasattr(operation, "activation"):
        return None
    function = operation.activation
    if function is None:
        return "linear"
    return activation_name(getattr(function, "__name__", type(function).__name__))
