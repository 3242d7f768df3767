"""What a layer's type alone says, as Keras names types: its layout, its activation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfcast.network.network import Layout

# Their output's axis of channels does not follow from their input's, or the other way round.
_FREE = (
    "AdditiveAttention Attention Bidirectional ConvLSTM1D ConvLSTM2D ConvLSTM3D Dense Dot Einsum EinsumDense "
    "Embedding ExpandDims Flatten GRU GetItem GroupedQueryAttention LSTM Lambda Matmul Moveaxis MultiHeadAttention "
    "Permute RNN Ravel RepeatVector Reshape ReversibleEmbedding SimpleRNN Squeeze Stack Swapaxes Tensordot "
    "TimeDistributed Transpose Unstack"
)
_LOWER = "ReLU ReLU6 ELU Softmax Relu Relu6 Sigmoid Silu Tanh Gelu"
ACTIVATION_TYPES = {name: name.lower() for name in _LOWER.split()} | {
    "LeakyReLU": "leaky_relu",
    "PReLU": "leaky_relu",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
}
"""Types of layers and operations that are an activation function and no more, and the function."""

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
    if kind in _FREE.split():
        return "free"
    if data_format == "channels_first":
        return "channels_first"
    return "channels_last" if data_format == "channels_last" else "same"


def activation_name(name: str) -> str:
    """Return the name of an activation function as Keras 3 spells it, `silu` of `swish` and `relu` of `ReLU`.

    Args:
        name: a function's name, or the class of a layer that stands for one.
    """
    if name in ACTIVATION_TYPES:
        return ACTIVATION_TYPES[name]
    lower = name.lower().strip("_<>")
    return _ACTIVATION_ALIASES.get(lower, lower) or name
