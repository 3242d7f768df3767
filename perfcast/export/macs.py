"""Multiply-accumulates of Keras layers, exact for those that do nearly all the arithmetic of a network."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.formats.keras_layers import attention_macs, einsum_dense_macs

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras

    Shape = Sequence[int]


def count_macs(operation: keras.Operation, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Return the multiply-accumulates of one call of a layer, per sample.

    Positions in the padding count as any other, as in the published counts. Exact for convolutions (grouped,
    dilated, transposed, depthwise and separable ones too), dense layers of any rank, `EinsumDense`,
    attention of every kind, recurrent layers of the three standard cells, stacked ones too, convolutional LSTMs, and
    `TimeDistributed` and `Bidirectional` around them; 0 for all others.

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
        ((layers.MultiHeadAttention,), _multi_head_attention),
        ((layers.GroupQueryAttention,), _grouped_query_attention),
        ((layers.Attention,), _attention),
        ((layers.TimeDistributed,), _time_distributed),
        ((layers.Bidirectional,), _bidirectional),
        ((layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D), _convolutional_lstm),
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
    return einsum_dense_macs(layer.equation, tuple(inputs[0]), tuple(layer.kernel.shape), tuple(outputs[0]))


def _multi_head_attention(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    widths = (layer.key_dim, layer.value_dim)
    return _projections(layer, inputs) + attention_macs(
        tuple(inputs[0]), tuple(inputs[min(1, len(inputs) - 1)]), layer.num_heads, widths, layer.attention_axes
    )


def _grouped_query_attention(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    query, value = tuple(inputs[0]), tuple(inputs[min(1, len(inputs) - 1)])
    widths = (layer.head_dim, layer.head_dim)
    return _projections(layer, inputs) + attention_macs(query, value, layer.num_query_heads, widths)


def _projections(layer: keras.Layer, inputs: Sequence[Shape]) -> int:
    # Value and key have equally many positions, so it does not matter which of them was given first.
    queries, keys = math.prod(inputs[0][:-1]), math.prod(inputs[min(1, len(inputs) - 1)][:-1])
    kernels = {
        weight.path.split("/")[-2]: math.prod(weight.shape) for weight in layer.weights if weight.name == "kernel"
    }
    return sum(weights * (keys if name in ("key", "value") else queries) for name, weights in kernels.items())


def _attention(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    query, value, key = inputs[0], inputs[1], inputs[-1]
    return math.prod(query[:-1]) * key[-2] * (key[-1] + value[-1])


def _convolutional_lstm(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    state = outputs[0][1:] if layer.return_sequences else outputs[0]
    weights = math.prod(layer.cell.kernel.shape) + math.prod(layer.cell.recurrent_kernel.shape)
    return inputs[0][0] * _positions(layer, state) * weights


def _recurrent(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    from keras import layers

    cells = layer.cell.cells if isinstance(layer.cell, layers.StackedRNNCells) else [layer.cell]
    if not all(isinstance(cell, layers.LSTMCell | layers.GRUCell | layers.SimpleRNNCell) for cell in cells):
        return 0
    weights = sum(math.prod(cell.kernel.shape) + math.prod(cell.recurrent_kernel.shape) for cell in cells)
    return inputs[0][0] * weights


def _time_distributed(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    inner = count_macs(layer.layer, [shape[1:] for shape in inputs], [shape[1:] for shape in outputs])
    return inputs[0][0] * inner


def _bidirectional(layer: keras.Layer, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    directions = (layer.forward_layer, layer.backward_layer)
    return sum(count_macs(direction, inputs, outputs) for direction in directions)
