"""What one layer of a descriptor costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.network.layer_types import ACTIVATION_TYPES
from perfcast.network.macs import FLOPS_PER_MAC
from perfcast.network.records import (
    FLOAT_BYTES,
    channels,
    has_bias,
    is_activation,
    is_convolution,
    is_dense,
    is_free,
    kernel_area,
    size,
)

if TYPE_CHECKING:
    Layer = dict[str, Any]

_BY_COUNT = {
    1: "relu relu6 sigmoid tanh exponential",
    2: "leaky_relu silu swish elu softplus softsign",
    3: "hard_sigmoid selu",
    4: "hard_silu hard_swish mish",
    5: "gelu softmax log_softmax",
}
ACTIVATION_FLOPS = {name: count for count, names in _BY_COUNT.items() for name in names.split()}
"""Operations an element of activation functions; others count 1."""

_ELEMENTWISE_TYPES = frozenset(
    (*("Add", "Average", "Divide", "Maximum", "Minimum"), *("Multiply", "Power", "Square", "Subtract", "TrueDivide"))
)
_SCALING_TYPES = frozenset(("BatchNormalization", "Normalization", "Rescaling"))
_NORMALISING_TYPES = frozenset(("LayerNormalization", "GroupNormalization", "UnitNormalization", "RMSNormalization"))
_SCALING_FLOPS = 2
_NORMALISING_FLOPS = 7


def neuron_weights(layer: Layer) -> int:
    """Return what a layer adds to the published weighted sum of neurons."""
    if is_dense(layer):
        return layer["macs"]
    if is_convolution(layer):
        return size(layer["output_shapes"]) * kernel_area(layer) * channels(layer)
    return 0


def flops(layer: Layer) -> int:
    """Return a layer's operations: two a multiply-accumulate, and the rest as docs/features.md lists it."""
    return FLOPS_PER_MAC * layer["macs"] + _other_flops(layer) + _activation_flops(layer)


def _activation_flops(layer: Layer) -> int:
    name = ACTIVATION_TYPES.get(layer["type"], layer["activation"])
    if name in (None, "linear"):
        return 0
    return size(layer["output_shapes"]) * ACTIVATION_FLOPS.get(name, 1)


def _other_flops(layer: Layer) -> int:
    kind, outputs = layer["type"], size(layer["output_shapes"])
    if is_convolution(layer) or is_dense(layer):
        return outputs if has_bias(layer) else 0
    if kind in _SCALING_TYPES:
        return _SCALING_FLOPS * outputs
    if kind in _NORMALISING_TYPES:
        return _NORMALISING_FLOPS * outputs
    if "Pool" in kind:
        return size(layer["input_shapes"]) if kind.startswith("Global") else outputs * kernel_area(layer)
    if kind in _ELEMENTWISE_TYPES:
        return outputs * max(1, len(layer["inputs"]) - 1)
    return outputs if layer["parameters"] and not layer["macs"] and not is_activation(layer) else 0


def moved_bytes(layer: Layer) -> int:
    """Return the bytes that a layer reads and writes: activations and weights; 0 for free layers."""
    if is_free(layer):
        return 0
    activations = size(layer["input_shapes"]) + size(layer["output_shapes"])
    return FLOAT_BYTES * (activations + layer["parameters"])
