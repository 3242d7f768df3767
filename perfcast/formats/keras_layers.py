"""What live Keras layers and their texts have in common: layouts, names of activations, multiply-accumulates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perfcast.formats.network import Layout, Shape

# Their output has no axis of channels that one of their input tells, or the other way round.
_FREE = frozenset(
    [
        "AdditiveAttention",
        "Attention",
        "ConvLSTM1D",
        "ConvLSTM2D",
        "ConvLSTM3D",
        "Dense",
        "Dot",
        "Einsum",
        "EinsumDense",
        "Embedding",
        "ExpandDims",
        "Flatten",
        "GRU",
        "GetItem",
        "GroupedQueryAttention",
        "LSTM",
        "Lambda",
        "Matmul",
        "Moveaxis",
        "MultiHeadAttention",
        "Permute",
        "RNN",
        "Ravel",
        "RepeatVector",
        "Reshape",
        "ReversibleEmbedding",
        "SimpleRNN",
        "Squeeze",
        "Stack",
        "Swapaxes",
        "Tensordot",
        "TimeDistributed",
        "Transpose",
        "Unstack",
        "Bidirectional",
    ]
)
_ACTIVATION_LAYERS = {
    "ELU": "elu",
    "LeakyReLU": "leaky_relu",
    "PReLU": "leaky_relu",
    "ReLU": "relu",
    "Softmax": "softmax",
}
_ACTIVATION_ALIASES = {
    "gelu_new": "gelu",
    "h_sigmoid": "hard_sigmoid",
    "h_swish": "hard_silu",
    "hard_swish": "hard_silu",
    "hsigmoid": "hard_sigmoid",
    "hswish": "hard_silu",
    "leakyrelu": "leaky_relu",
    "swish": "silu",
}


def layout_of(kind: str, data_format: object) -> Layout:
    """Return how the tensors of a layer lie.

    Args:
        kind: its Keras class, as `Conv2D`.
        data_format: what it says of the matter, anything but a data format where it says nothing.
    """
    if kind in _FREE:
        return "free"
    if data_format == "channels_first":
        return "channels_first"
    return "channels_last" if data_format == "channels_last" else "same"


def activation_name(name: str) -> str:
    """Return the name of an activation function as Keras 3 spells it, `silu` of `swish` and `relu` of `ReLU`.

    Args:
        name: a function's name, or the class of a layer that stands for one.
    """
    if name in _ACTIVATION_LAYERS:
        return _ACTIVATION_LAYERS[name]
    lower = name.lower().strip("_")
    return _ACTIVATION_ALIASES.get(lower, lower) or name


def einsum_dense_macs(equation: str, read: Shape, kernel: Shape, returned: Shape) -> int:
    """Return the multiply-accumulates of an `EinsumDense` layer.

    Args:
        equation: as `abc,cd->abd`.
        read, returned: shapes of one sample, without the batch axis.
        kernel: shape of its kernel.
    """
    operands, result = equation.replace(" ", "").split("->")
    labels, weights = operands.split(",")
    sizes = label_sizes(labels, (1, *read)) | label_sizes(weights, kernel)
    return math.prod(returned) * math.prod(size for label, size in sizes.items() if label not in result)


def label_sizes(labels: str, shape: Sequence[int]) -> dict[str, int]:
    """Return the size of each axis that `labels` names, `...` being any number of others."""
    before, _, after = labels.partition("...")
    sizes = dict(zip(before, shape, strict=False))
    return sizes | dict(zip(reversed(after), reversed(shape), strict=False))


def attention_macs(
    query: Shape, key: Shape, heads: int, widths: tuple[int, int], axes: Iterable[int] | None = None
) -> int:
    """Return the multiply-accumulates of attention itself, its projections left out: scores and their sum.

    Args:
        query, key: shapes of one sample, without the batch axis.
        heads: how many.
        widths: of one head's keys and values.
        axes: those that are attended along, the batch being axis 0; all positions where it is None.
    """
    attended = math.prod(key[axis - 1 if axis > 0 else axis] for axis in axes or range(1, len(key)))
    return math.prod(query[:-1]) * attended * heads * sum(widths)
