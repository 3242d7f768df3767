"""What the gradient of a layer reads, by the layer's type, as TensorFlow computes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.network.layer_types import ACTIVATION_TYPES
from perfcast.network.records import is_convolution, is_dense, is_free

if TYPE_CHECKING:
    Layer = dict[str, Any]


@dataclass(frozen=True)
class Gradient:
    """What of a layer outlives its forward pass.

    Attributes:
        reads_input, reads_output: whether the gradient reads the layer's inputs, its outputs.
        extra: what else is kept, in sizes of the output.
        in_place: whether the output takes its input's memory if nothing else needs that.
        is_view: whether the output is the input, with another shape.
        passes_gradient: whether its inputs' gradients take its output's memory.
    """

    reads_input: bool = False
    reads_output: bool = False
    extra: float = 0.0
    in_place: bool = False
    is_view: bool = False
    passes_gradient: bool = False


_MASK = 0.25
"""Dropout keeps a byte for each number of four."""

_BY_OUTPUT = frozenset(["relu", "relu6", "sigmoid", "tanh", "elu", "selu", "exponential", "softmax", "log_softmax"])
"""Functions whose gradient is computed from their result; all others' from their argument."""

_KEEPS_NOTHING = frozenset(
    (
        *("Concatenate", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "GlobalAveragePooling1D"),
        *("GlobalAveragePooling2D", "GlobalAveragePooling3D", "UpSampling1D", "UpSampling2D", "UpSampling3D"),
        *("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "Cropping1D", "Cropping2D", "Cropping3D"),
        *("Embedding", "Permute", "RepeatVector", "Resizing", "Transpose"),
    )
)
_SUMS = frozenset(("Add", "Subtract", "Average"))
_SCALES = frozenset(("Rescaling", "Normalization"))
_READS_INPUT = frozenset(
    (
        *(
            "BatchNormalization",
            "Multiply",
            "Maximum",
            "Minimum",
            "Divide",
            "LayerNormalization",
            "GroupNormalization",
            "Dot",
        ),
        *("UnitNormalization", "RMSNormalization"),
    )
)


def gradient_of(layer: Layer) -> Gradient:
    """Return what is kept for the gradient of a layer; of an unknown type, all that it reads and returns."""
    kind = layer["type"]
    if kind == "Dropout":
        return Gradient(extra=_MASK, in_place=True, passes_gradient=True)
    if is_free(layer):
        return Gradient(is_view=True, passes_gradient=True)
    if kind == "Activation" or kind in ACTIVATION_TYPES:
        by_output = (ACTIVATION_TYPES.get(kind) or layer["activation"]) in _BY_OUTPUT
        return Gradient(reads_input=not by_output, reads_output=by_output, in_place=by_output, passes_gradient=True)
    if is_convolution(layer) or is_dense(layer):
        return _with_function(layer)
    if kind in _SUMS:
        return Gradient(in_place=True, passes_gradient=True)
    if kind in _KEEPS_NOTHING:
        return Gradient()
    if kind in _SCALES:
        return Gradient(in_place=True)
    if kind in _READS_INPUT:
        return Gradient(reads_input=True)
    return Gradient(reads_input=True, reads_output=True)


def _with_function(layer: Layer) -> Gradient:
    """Return what a convolution or dense layer keeps, with the function that it ends in."""
    is_trained, name = layer["trainable_parameters"] > 0, layer["activation"]
    if name in (None, "linear"):
        return Gradient(reads_input=is_trained)
    by_output = name in _BY_OUTPUT
    return Gradient(reads_input=is_trained, reads_output=by_output, extra=0.0 if by_output else 1.0)
