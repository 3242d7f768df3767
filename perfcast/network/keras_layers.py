"""What live Keras layers and their texts have in common: layouts, names of activations, multiply-accumulates."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from perfcast.network.network import Layout, Shape

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
    lower = name.lower().strip("_<>")
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


def matmul_macs(first: Shape, second: Shape) -> int:
    """Return the multiply-accumulates of a product of matrices, or of stacks of them; shapes have the batch, 1."""
    if not first or not second:
        return 0
    stacks = itertools.zip_longest(reversed(first[:-2]), reversed(second[:-2]), fillvalue=1)
    rows, columns = math.prod(first[-2:-1]), second[-1] if len(second) > 1 else 1
    return math.prod(one if other == 1 else other for one, other in stacks) * rows * first[-1] * columns


def contraction_macs(first: Shape, second: Shape, axes: int | Sequence[int | Sequence[int]]) -> int:
    """Return the multiply-accumulates of summing up the products of two tensors along axes that both have.

    Args:
        first, second: shapes with the batch, 1.
        axes: how many last ones of the first tensor, or which ones of both.
    """
    if isinstance(axes, int):
        gone = list(first[len(first) - axes :])
    else:
        gone = [first[axis] for axis in ([axes[0]] if isinstance(axes[0], int) else axes[0])]
    return math.prod(first) * math.prod(second) // max(math.prod(gone), 1)


def einsum_macs(subscripts: str, shapes: Sequence[Shape]) -> int:
    """Return the multiply-accumulates of an Einstein sum: one for each combination of all its indices.

    Args:
        subscripts: as `bij,bjk->bik`.
        shapes: of its operands, with the batch, 1.
    """
    sizes: dict[str, int] = {}
    operands = subscripts.replace(" ", "").partition("->")[0].split(",")
    for labels, shape in zip(operands, shapes, strict=False):
        named = label_sizes(labels, shape)
        before, _, after = labels.partition("...")
        others = reversed(shape[len(before) : len(shape) - len(after)])
        # Axes that have no label are told by their place from behind.
        unnamed = {f"-{index}": size for index, size in enumerate(others)}
        for label, size in (named | unnamed).items():
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    return math.prod(sizes.values()) if len(operands) > 1 else 0


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
