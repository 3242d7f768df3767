"""One layer of a descriptor, a dict as `model.json` holds it: what it is, and how its work is parted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.network.layer_types import ACTIVATION_TYPES
from perfcast.network.macs import separable_macs

if TYPE_CHECKING:
    from collections.abc import Sequence

    Layer = dict[str, Any]

FLOAT_BYTES = 4
"""Bytes of one activation or weight."""

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
    return layer["type"] == "Activation" or layer["type"] in ACTIVATION_TYPES


def is_core(layer: Layer) -> bool:
    """Tell whether a layer has parameters or pools: activations and merges do neither."""
    return layer["parameters"] > 0 or "Pool" in layer["type"]


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
        return separable_macs(layer["macs"], layer["kernel"] or (), layer["filters"])[0]
    return layer["macs"] if layer["groups"] == channels(layer) > 1 else 0


def pointwise_macs(layer: Layer) -> int:
    """Return a convolution's multiply-accumulates by kernels of one pixel across channels."""
    if layer["type"].startswith("SeparableConv"):
        return layer["macs"] - depthwise_macs(layer)
    return layer["macs"] - depthwise_macs(layer) if kernel_area(layer) == 1 else 0


def channels(layer: Layer) -> int:
    """Return how many channels the first tensor has that a layer reads, 0 where it reads none."""
    first = next(iter(layer["input_shapes"]), ())
    return first[-1] if first else 0


def has_bias(layer: Layer) -> bool:
    """Tell whether a convolution or dense layer has a bias."""
    # A kernel's weights are each used once a position; more parameters than that are a bias.
    return layer["parameters"] * positions(layer) > layer["macs"]
