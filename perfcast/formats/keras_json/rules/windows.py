"""Convolutions and poolings of every kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Part
from perfcast.formats.keras_json.rules.products import with_lora
from perfcast.formats.keras_json.rules.shapes import activation_of, behind_window, join, span, split
from perfcast.network.macs import convolution_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape

# What earlier versions of Keras called them.
_OLD_WORDS = {
    "Atrous": "",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "Convolution": "Conv",
}


def _kind(call: Call) -> str:
    kind = call.kind
    for old, new in _OLD_WORDS.items():
        kind = kind.replace(old, new)
    return kind


def _sizes(call: Call) -> dict[str, Any]:
    rank, settings = call.rank(), call.settings
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    return {"kernel": kernel, "strides": strides, "dilation": settings.sizes("dilation_rate", rank, 1)}


def _convolved(call: Call, spatial: Shape, sizes: dict[str, Any], filters: int, groups: int, **kernels: int) -> Outcome:
    """Return the outcome of a convolution of these numbers of weights, at each of whose positions all are used."""
    found = behind_window(call, spatial, span(sizes["kernel"], sizes["dilation"]), sizes["strides"])
    macs = convolution_macs(found, *((weights,) for weights in kernels.values()))
    return _outcome(call, found, filters, kernels, groups=groups, macs=macs, **sizes)


def _outcome(
    call: Call, found: Shape, filters: int, kernels: dict[str, int], biases: int | None = None, **fields: Any
) -> Outcome:
    shape = join(call, found, filters)
    parts = [part for name, weights in kernels.items() for part in with_lora(call, Part(name, weights), filters)]
    if call.settings.flag("use_bias", True):
        parts.append(Part("bias", filters if biases is None else biases))
    activation = activation_of(call.settings)
    return Outcome((shape,), tuple(parts), kind=_kind(call), filters=filters, activation=activation, **fields)


def _convolution(call: Call) -> Outcome:
    (spatial, channels), sizes = split(call), _sizes(call)
    filters, groups = call.settings.whole("filters"), call.settings.whole("groups", 1)
    if channels % groups or filters % groups:
        call.refuse(f"cannot split {channels} channels and {filters} filters in {groups} groups")
    kernel = math.prod(sizes["kernel"]) * (channels // groups) * filters
    return _convolved(call, spatial, sizes, filters, groups, kernel=kernel)


def _depthwise(call: Call) -> Outcome:
    (spatial, channels), sizes = split(call), _sizes(call)
    filters = channels * call.settings.whole("depth_multiplier", 1)
    return _convolved(call, spatial, sizes, filters, channels, kernel=math.prod(sizes["kernel"]) * filters)


def _separable(call: Call) -> Outcome:
    (spatial, channels), sizes = split(call), _sizes(call)
    filters, middle = call.settings.whole("filters"), channels * call.settings.whole("depth_multiplier", 1)
    depthwise, pointwise = math.prod(sizes["kernel"]) * middle, middle * filters
    kernels = {"depthwise_kernel": depthwise, "pointwise_kernel": pointwise}
    return _convolved(call, spatial, sizes, filters, channels, **kernels)


def _transposed(call: Call) -> Outcome:
    (spatial, channels), sizes = split(call), _sizes(call)
    filters = call.settings.whole("filters")
    found = _stretched(call, spatial, span(sizes["kernel"], sizes["dilation"]), sizes["strides"])
    kernel = math.prod(sizes["kernel"]) * channels * filters
    macs = convolution_macs(spatial, (kernel,))
    return _outcome(call, found, filters, {"kernel": kernel}, groups=1, macs=macs, **sizes)


def _stretched(call: Call, spatial: Shape, window: Shape, strides: Shape) -> Shape:
    """Return the spatial sizes behind a transposed convolution, as `keras.backend` computes them."""
    padding = call.settings.word("padding", "valid", ("valid", "same"))
    sizes = tuple(zip(spatial, window, strides, strict=True))
    if call.settings.get("output_padding") is None:
        beyond = tuple(max(width - stride, 0) if padding == "valid" else 0 for _, width, stride in sizes)
        return tuple(size * stride + more for (size, _, stride), more in zip(sizes, beyond, strict=True))
    added = call.settings.sizes("output_padding", len(spatial), least=0)
    cut = tuple(width // 2 if padding == "same" else 0 for width in window)
    return tuple(
        (size - 1) * stride + width - 2 * less + more
        for (size, width, stride), less, more in zip(sizes, cut, added, strict=True)
    )


def _locally_connected(call: Call) -> Outcome:
    """Return the outcome of a convolution of Keras 2 that has a kernel of its own at every position."""
    (spatial, channels), sizes = split(call), _sizes(call)
    filters = call.settings.whole("filters")
    found = behind_window(call, spatial, sizes["kernel"], sizes["strides"])
    of_position = math.prod(sizes["kernel"]) * channels * filters
    kernels, biases = {"kernel": math.prod(found) * of_position}, math.prod(found) * filters
    sizes.pop("dilation")
    macs = convolution_macs(found, (of_position,))
    return _outcome(call, found, filters, kernels, biases, groups=1, macs=macs, **sizes)


def _pooling_kind(call: Call) -> str:
    kind = call.kind.replace("AvgPool", "AveragePool")
    return kind if "Pooling" in kind else kind.replace("Pool", "Pooling")


def _pooling(call: Call) -> Outcome:
    rank = call.rank()
    spatial, channels = split(call)
    window = call.settings.sizes("pool_size", rank, 2)
    strides = call.settings.sizes("strides", rank, window)
    found = behind_window(call, spatial, window, strides)
    return Outcome((join(call, found, channels),), kernel=window, strides=strides, kind=_pooling_kind(call))


def _global_pooling(call: Call) -> Outcome:
    _, channels = split(call)
    kept = call.settings.flag("keepdims", False)
    shape = join(call, (1,) * call.rank(), channels) if kept else (call.shape[0], channels)
    return Outcome((shape,), kind=_pooling_kind(call))


def _adaptive_pooling(call: Call) -> Outcome:
    _, channels = split(call)
    return Outcome((join(call, call.settings.sizes("output_size", call.rank()), channels),))


_NAMES = {
    _convolution: "Conv1D Conv2D Conv3D Convolution1D Convolution2D Convolution3D "
    "AtrousConvolution1D AtrousConvolution2D",
    _depthwise: "DepthwiseConv1D DepthwiseConv2D",
    _separable: "SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D",
    _transposed: "Conv1DTranspose Conv2DTranspose Conv3DTranspose Convolution1DTranspose Convolution2DTranspose "
    "Convolution3DTranspose Deconvolution2D Deconvolution3D",
    _locally_connected: "LocallyConnected1D LocallyConnected2D",
}
_POOLINGS = ("MaxPooling", "AveragePooling", "MaxPool", "AvgPool")

RULES = {name: rule for rule, names in _NAMES.items() for name in names.split()} | {
    f"{prefix}{kind}{rank}D": rule
    for prefix, rule in {"": _pooling, "Global": _global_pooling, "Adaptive": _adaptive_pooling}.items()
    for kind in (_POOLINGS[:2] if prefix == "Adaptive" else _POOLINGS)
    for rank in (1, 2, 3)
}
"""Rules by class."""
