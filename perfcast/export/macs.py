"""Multiply-accumulates of Keras layers, exact for those that do nearly all the arithmetic of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    Shape = Sequence[int]


def count_macs(operation: keras.Operation, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Return the multiply-accumulates of one call of a layer, per sample.

    Positions in the padding count as any other, as in the published counts. Exact for convolutions (grouped,
    dilated, transposed, depthwise and separable ones too), dense layers of any rank, `EinsumDense`,
    `MultiHeadAttention`, recurrent layers of the three standard cells, and `TimeDistributed` and
    `Bidirectional` around them; 0 for all others.

    Args:
        operation: a built layer, or an operation that is none.
        inputs: shapes of the tensors it reads, without the batch axis.
        outputs: shapes of the tensors it returns, without the batch axis.
    """
    from keras import layers

    counters = (
        ((layers.Conv1D, layers.Conv2D, layers.Conv3D), _convolution),
        ((layers.DepthwiseConv1D, layers.DepthwiseConv2D), _convolution),
        ((layers.SeparableConv1D, layers.SeparableConv2D), _separable_convolution),
        ((layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose), _transposed_convolution),
        ((layers.Dense,), _dense),
        ((layers.EinsumDense,), _einsum_dense),
        ((layers.MultiHeadAttention,), _attention),
        ((layers.TimeDistributed,), _time_distributed),
        ((layers.Bidirectional,), _bidirectional),
        ((layers.RNN,), _recurrent),
    )
    for classes, count in counters:
        if isinstance(operation, classes):
            return count(operation, inputs, outputs)
    return 0


def _positions(layer: keras.Layer, shape: Shape) -> int:
    return math.prod(shape[:-1] if layer.data_format == "channels_last" else shape[1:])


def _convolution(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return _positions(layer, outputs[0]) * math.prod(layer.kernel.shape)


def _separable_convolution(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    weights = math.prod(layer.depthwise_kernel.shape) + math.prod(layer.pointwise_kernel.shape)
    return _positions(layer, outputs[0]) * weights


def _transposed_convolution(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return _positions(layer, inputs[0]) * math.prod(layer.kernel.shape)


def _dense(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    return math.prod(outputs[0][:-1]) * math.prod(layer.kernel.shape)


def _einsum_dense(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    operands, result = layer.equation.replace(" ", "").split("->")
    read, weights = operands.split(",")
    summed = _label_sizes(read, (1, *inputs[0])) | _label_sizes(weights, layer.kernel.shape)
    return math.prod(outputs[0]) * math.prod(size for label, size in summed.items() if label not in result)


def _label_sizes(labels: str, shape: Shape) -> dict[str, int]:
    before, _, after = labels.partition("...")
    sizes = dict(zip(before, shape, strict=False))
    return sizes | dict(zip(reversed(after), reversed(shape), strict=False))


def _attention(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    config = layer.get_config()
    heads, key_width = config["num_heads"], config["key_dim"]
    value_width = config["value_dim"] or key_width
    query, value = inputs[0], inputs[min(1, len(inputs) - 1)]
    key = inputs[2] if len(inputs) > 2 else value
    queries, keys = math.prod(query[:-1]), math.prod(key[:-1])
    gates = 1 if config.get("use_gate") else 0
    projections = (
        queries * query[-1] * heads * (key_width + gates * value_width)
        + keys * key[-1] * heads * key_width
        + keys * value[-1] * heads * value_width
        + queries * heads * value_width * outputs[0][-1]
    )
    # Axes count the batch; every position of the query attends along them only.
    axes = config["attention_axes"] or range(1, len(key))
    attended = math.prod(key[axis - 1 if axis > 0 else axis] for axis in axes)
    return projections + queries * attended * heads * (key_width + value_width)


def _recurrent(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    from keras import layers

    if not isinstance(layer.cell, layers.LSTMCell | layers.GRUCell | layers.SimpleRNNCell):
        return 0
    weights = math.prod(layer.cell.kernel.shape) + math.prod(layer.cell.recurrent_kernel.shape)
    return inputs[0][0] * weights


def _time_distributed(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    inner = count_macs(layer.layer, [shape[1:] for shape in inputs], [shape[1:] for shape in outputs])
    return inputs[0][0] * inner


def _bidirectional(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    directions = (layer.forward_layer, layer.backward_layer)
    return sum(count_macs(direction, inputs, outputs) for direction in directions)
