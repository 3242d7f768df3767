"""What one layer of a descriptor is, and what it costs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    Layer = dict[str, Any]

FLOAT_BYTES = 4
"""Bytes of one activation or weight."""

ACTIVATION_FLOPS = {
    "relu": 1,
    "relu6": 1,
    "leaky_relu": 2,
    "sigmoid": 1,
    "tanh": 1,
    "exponential": 1,
    "silu": 2,
    "swish": 2,
    "hard_sigmoid": 3,
    "hard_silu": 4,
    "hard_swish": 4,
    "elu": 2,
    "selu": 3,
    "softplus": 2,
    "softsign": 2,
    "gelu": 5,
    "mish": 4,
    "softmax": 5,
    "log_softmax": 5,
}
"""Operations an element of activation functions; others count 1."""

_ACTIVATION_TYPES = {
    "ReLU": "relu",
    "ReLU6": "relu6",
    "LeakyReLU": "leaky_relu",
    "PReLU": "leaky_relu",
    "ELU": "elu",
    "Softmax": "softmax",
    # Operations that are no layers.
    "Relu": "relu",
    "Relu6": "relu6",
    "Sigmoid": "sigmoid",
    "Silu": "silu",
    "Tanh": "tanh",
    "Gelu": "gelu",
    "HardSigmoid": "hard_sigmoid",
    "HardSilu": "hard_silu",
}
_FREE_TYPES = frozenset(
    {
        "ActivityRegularization",
        "AlphaDropout",
        "Dropout",
        "ExpandDims",
        "Flatten",
        "GaussianDropout",
        "GaussianNoise",
        "Identity",
        "InputLayer",
        "Masking",
        "Reshape",
        "SpatialDropout1D",
        "SpatialDropout2D",
        "SpatialDropout3D",
        "Squeeze",
        "StochasticDepth",
    }
)
_ELEMENTWISE_TYPES = frozenset(
    {
        "Add",
        "Average",
        "Divide",
        "Maximum",
        "Minimum",
        "Multiply",
        "Power",
        "Square",
        "Subtract",
        "TrueDivide",
    }
)
_SCALING_TYPES = frozenset(("BatchNormalization", "Normalization", "Rescaling"))
_NORMALISING_TYPES = frozenset(("LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization"))
_SCALING_FLOPS = 2
_NORMALISING_FLOPS = 7


def size(shapes: Sequence[Sequence[int]]) -> int:
    """Return the elements of all tensors of these shapes."""
    return sum(map(math.prod, shapes))


def is_convolution(layer: Layer) -> bool:
    """Tell whether a layer is a convolution of any kind."""
    return layer["filters"] is not None


def is_dense(layer: Layer) -> bool:
    """Tell whether a layer is a dense layer."""
    return layer["units"] is not None


def is_batch_normalisation(layer: Layer) -> bool:
    """Tell whether a layer is a batch normalisation."""
    return layer["type"] == "BatchNormalization"


def is_activation(layer: Layer) -> bool:
    """Tell whether a layer is an activation function and no more."""
    return layer["type"] == "Activation" or layer["type"] in _ACTIVATION_TYPES


def is_free(layer: Layer) -> bool:
    """Tell whether a layer does nothing at inference but rename its input."""
    idle = layer["type"] == "Activation" and layer["activation"] == "linear"
    return idle or layer["type"] in _FREE_TYPES


def has_fused_activation(layer: Layer) -> bool:
    """Tell whether a layer, no activation itself, ends in a function that is not linear."""
    return layer["activation"] not in (None, "linear") and not is_activation(layer)


def kernel_area(layer: Layer) -> int:
    """Return the positions that the layer's kernel covers, 1 where it has none."""
    return math.prod(layer["kernel"] or ())


def positions(layer: Layer) -> int:
    """Return how many pixels a layer's first output has, for each of which all its channels are computed."""
    return math.prod(layer["output_shapes"][0][:-1])


def depthwise_macs(layer: Layer) -> int:
    """Return a convolution's multiply-accumulates that stay within one channel."""
    if layer["type"].startswith("SeparableConv"):
        # Of the k + F weights of a channel, k are of the depthwise and F of the pointwise convolution.
        return layer["macs"] * kernel_area(layer) // (kernel_area(layer) + layer["filters"])
    return layer["macs"] if layer["groups"] == _channels(layer) > 1 else 0


def pointwise_macs(layer: Layer) -> int:
    """Return a convolution's multiply-accumulates by kernels of one pixel across channels."""
    if layer["type"].startswith("SeparableConv"):
        return layer["macs"] - depthwise_macs(layer)
    return layer["macs"] - depthwise_macs(layer) if kernel_area(layer) == 1 else 0


def neuron_weights(layer: Layer) -> int:
    """Return what a layer adds to the published weighted sum of neurons."""
    if is_dense(layer):
        return layer["macs"]
    if is_convolution(layer):
        return size(layer["output_shapes"]) * kernel_area(layer) * _channels(layer)
    return 0


def _channels(layer: Layer) -> int:
    first = next(iter(layer["input_shapes"]), ())
    return first[-1] if first else 0


def flops(layer: Layer) -> int:
    """Return a layer's operations: two a multiply-accumulate, and the rest as docs/features.md lists it."""
    return 2 * layer["macs"] + _other_flops(layer) + _activation_flops(layer)


def _activation_flops(layer: Layer) -> int:
    name = _ACTIVATION_TYPES.get(layer["type"], layer["activation"])
    if name in (None, "linear"):
        return 0
    return size(layer["output_shapes"]) * ACTIVATION_FLOPS.get(name, 1)


def _other_flops(layer: Layer) -> int:
    kind, outputs = layer["type"], size(layer["output_shapes"])
    if is_convolution(layer) or is_dense(layer):
        return outputs if _has_bias(layer) else 0
    if kind in _SCALING_TYPES:
        return _SCALING_FLOPS * outputs
    if kind in _NORMALISING_TYPES:
        return _NORMALISING_FLOPS * outputs
    if "Pool" in kind:
        return size(layer["input_shapes"]) if kind.startswith("Global") else outputs * kernel_area(layer)
    if kind in _ELEMENTWISE_TYPES:
        return outputs * max(1, len(layer["inputs"]) - 1)
    return outputs if layer["parameters"] and not layer["macs"] and not is_activation(layer) else 0


def _has_bias(layer: Layer) -> bool:
    # A kernel's weights are each used once a position; more parameters than that are a bias.
    return layer["parameters"] * positions(layer) > layer["macs"]


def moved_bytes(layer: Layer) -> int:
    """Return the bytes that a layer reads and writes: activations and weights; 0 for free layers."""
    if is_free(layer):
        return 0
    activations = size(layer["input_shapes"]) + size(layer["output_shapes"])
    return FLOAT_BYTES * (activations + layer["parameters"])
