"""Which formula of `perfcast.network.macs` counts which live Keras layer, and on which of its numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.network.macs import (
    attention_macs,
    contraction_macs,
    convolution_macs,
    dense_macs,
    einsum_macs,
    matmul_macs,
    multi_head_macs,
    recurrent_macs,
    repeated_macs,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import keras

    Shape = Sequence[int]
    Arguments = tuple[Sequence[Any], Mapping[str, Any]]

NO_ARGUMENTS: Arguments = ((), {})
"""Of a call whose arguments are not known; its tensors are taken in their order."""


def count_macs(
    operation: keras.Operation,
    inputs: Sequence[Shape],
    outputs: Sequence[Shape],
    arguments: Arguments = NO_ARGUMENTS,
) -> int:
    """Return the multiply-accumulates of one call of a layer, per sample.

    Exact for convolutions (grouped,
    dilated, transposed, depthwise and separable ones too), dense layers of any rank, `EinsumDense`,
    attention of every kind, recurrent layers of the three standard cells, stacked ones too, convolutional LSTMs, and
    `TimeDistributed`, `Bidirectional` and `SpectralNormalization` around them, `Dot`, and the operations that multiply
    matrices, convolve or attend; 0 for all others.

    Args:
        operation: a built layer, or an operation without a layer.
        inputs: shapes of the tensors it reads, without the batch axis.
        outputs: shapes of the tensors it returns, without the batch axis.
        arguments: what it was called on, by position and by name; distinguishes tensors that Keras sorts by name, and
            those that are constant.
    """
    from keras import layers

    if isinstance(operation, layers.MultiHeadAttention | layers.GroupQueryAttention):
        return _attention_of_heads(operation, inputs, arguments)
    if ".ops." in type(operation).__module__:
        return _free_operation(operation, inputs, outputs, arguments)
    for classes, count in _counters():
        if isinstance(operation, classes):
            return count(operation, inputs, outputs)
    return 0


def _counters() -> Sequence[tuple[tuple[type, ...], Callable[..., int]]]:
    """Return what counts each kind of layers, the first that fits."""
    from keras import layers

    return (
        ((layers.Conv1D, layers.Conv2D, layers.Conv3D), _convolution),
        ((layers.DepthwiseConv1D, layers.DepthwiseConv2D), _convolution),
        ((layers.SeparableConv1D, layers.SeparableConv2D), _separable_convolution),
        ((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transposed_convolution),
        ((layers.Dense,), _dense),
        ((layers.EinsumDense,), _einsum_dense),
        ((layers.Dot,), _dot),
        ((layers.SpectralNormalization,), _spectral_normalization),
        ((layers.Attention,), _attention),
        ((layers.TimeDistributed,), _time_distributed),
        ((layers.Bidirectional,), _bidirectional),
        ((layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D), _convolutional_lstm),
        ((layers.RNN,), _recurrent),
    )


def _positions(layer: keras.Layer, shape: Shape) -> Shape:
    return shape[:-1] if layer.data_format == "channels_last" else shape[1:]


def _convolution(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return convolution_macs(_positions(layer, outputs[0]), layer.kernel.shape)


def _separable_convolution(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    positions = _positions(layer, outputs[0])
    return convolution_macs(positions, layer.depthwise_kernel.shape, layer.pointwise_kernel.shape)


def _transposed_convolution(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return convolution_macs(_positions(layer, inputs[0]), layer.kernel.shape)


def _dense(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return dense_macs(outputs[0][:-1], layer.kernel.shape)


def _einsum_dense(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return einsum_macs(layer.equation, [(1, *inputs[0]), tuple(layer.kernel.shape)])


def _dot(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    return contraction_macs((1, *inputs[0]), (1, *inputs[1]), axes)


def _spectral_normalization(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return count_macs(layer.layer, inputs, outputs)


def _named(arguments: Arguments, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Return the shapes, with a batch of 1, of the tensors among arguments that a call names, or gives in order."""
    given, options = arguments
    tensors = dict(zip(names, given, strict=False)) | {name: options[name] for name in names if name in options}
    return {name: _whole(tensor.shape) for name, tensor in tensors.items() if hasattr(tensor, "shape")}


def _whole(shape: Any) -> tuple[int, ...]:
    return tuple(1 if size is None else int(size) for size in shape)


def _attention_of_heads(layer: keras.Layer, inputs: Sequence[Shape], arguments: Arguments) -> int:
    from keras import layers

    found = _named(arguments, ("query", "value"))
    query = found["query"][1:] if "query" in found else tuple(inputs[0])
    value = found["value"][1:] if "value" in found else tuple(inputs[min(1, len(inputs) - 1)])
    if isinstance(layer, layers.MultiHeadAttention):
        heads, widths, axes = layer.num_heads, (layer.key_dim, layer.value_dim), layer.attention_axes
    else:
        heads, widths, axes = layer.num_query_heads, (layer.head_dim, layer.head_dim), None
    kernels = {
        weight.path.split("/")[-2]: math.prod(weight.shape) for weight in layer.weights if weight.name == "kernel"
    }
    # Value and key have equally many positions, so it does not matter which of them was given first.
    return multi_head_macs(query, value, heads, widths, kernels, axes)


def _free_operation(
    operation: keras.Operation, inputs: Sequence[Shape], outputs: Sequence[Shape], arguments: Arguments
) -> int:
    kind = type(operation).__name__
    if kind == "Einsum":
        operands = [_whole(operand.shape) for operand in arguments[0] if hasattr(operand, "shape")]
        return einsum_macs(operation.subscripts, operands)
    if kind in ("Matmul", "Dot", "Tensordot"):
        return _product(operation, kind, _named(arguments, ("x1", "x2")))
    if kind in ("Conv", "ConvTranspose", "DepthwiseConv", "SeparableConv"):
        names = ("inputs", "kernel" if kind != "SeparableConv" else "depthwise_kernel", "pointwise_kernel")
        kernels = _named(arguments, names)
        positions = _positions(operation, inputs[0] if kind == "ConvTranspose" else outputs[0])
        return convolution_macs(positions, *(shape for name, shape in kernels.items() if name != "inputs"))
    if kind == "DotProductAttention":
        found = _named(arguments, ("query", "key", "value"))
        query, key, value = found["query"], found["key"], found["value"]
        return attention_macs(math.prod(query[:-1]), key[1], (key[-1], value[-1]))
    return 0


def _product(operation: keras.Operation, kind: str, operands: dict[str, tuple[int, ...]]) -> int:
    if len(operands) != 2:
        return 0
    first, second = operands.values()
    if kind == "Matmul":
        return matmul_macs(first, second)
    return contraction_macs(first, second, operation.axes if kind == "Tensordot" else 1)


def _attention(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    query, value, key = inputs[0], inputs[1], inputs[-1]
    return attention_macs(math.prod(query[:-1]), key[-2], (key[-1], value[-1]))


def _convolutional_lstm(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    state = outputs[0][1:] if layer.return_sequences else outputs[0]
    positions = (inputs[0][0], *_positions(layer, state))
    return convolution_macs(positions, layer.cell.kernel.shape, layer.cell.recurrent_kernel.shape)


def _recurrent(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    from keras import layers

    cells = layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]
    if not all(isinstance(cell, layers.LSTMCell | layers.GRUCell | layers.SimpleRNNCell) for cell in cells):
        return 0
    weights = sum(math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape) for cell in cells)
    return recurrent_macs(inputs[0][0], weights)


def _time_distributed(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    inner = count_macs(layer.layer, [shape[1:] for shape in inputs], [shape[1:] for shape in outputs])
    return repeated_macs(inputs[0][0], inner)


def _bidirectional(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    directions = (layer.forward_layer, layer.backward_layer)
    return sum(count_macs(direction, inputs, outputs) for direction in directions)
