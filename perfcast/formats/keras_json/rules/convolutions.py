"""Convolutions of every kind."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome, Part
from perfcast.formats.keras_json.rules.activations import activation_of
from perfcast.formats.keras_json.rules.dense import with_lora
from perfcast.formats.keras_json.rules.geometry import behind_window, join, span, split
from perfcast.network.macs import convolution_macs

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call

_ALIASES = {
    "AtrousConvolution1D": "Conv1D",
    "AtrousConvolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "Convolution2D": "Conv2D",
    "Convolution3D": "Conv3D",
    "Convolution1DTranspose": "Conv1DTranspose",
    "Convolution2DTranspose": "Conv2DTranspose",
    "Convolution3DTranspose": "Conv3DTranspose",
    "Deconvolution2D": "Conv2DTranspose",
    "Deconvolution3D": "Conv3DTranspose",
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
}


def _kind(call: Call) -> str:
    return _ALIASES.get(call.kind, call.kind)


def _rank(call: Call) -> int:
    return next(int(letter) for letter in _kind(call) if letter.isdigit())


def _bias(call: Call, channels: int) -> tuple[Part, ...]:
    return (Part("bias", channels),) if call.settings.flag("use_bias", True) else ()


def _convolution(call: Call) -> Outcome:
    rank, settings = _rank(call), call.settings
    spatial, channels = split(call, rank)
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation = settings.sizes("dilation_rate", rank, 1)
    filters, groups = settings.whole("filters"), settings.whole("groups", 1)
    if channels % groups or filters % groups:
        call.refuse(f"cannot split {channels} channels and {filters} filters in {groups} groups")
    found = behind_window(call, spatial, span(kernel, dilation), strides)
    weights = math.prod(kernel) * (channels // groups) * filters
    return Outcome(
        (join(call, found, filters),),
        (*with_lora(call, Part("kernel", weights), filters), *_bias(call, filters)),
        kernel,
        strides,
        dilation,
        groups,
        filters,
        activation=activation_of(settings),
        macs=convolution_macs(found, (weights,)),
        kind=_kind(call),
    )


def _depthwise(call: Call) -> Outcome:
    rank, settings = _rank(call), call.settings
    spatial, channels = split(call, rank)
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation = settings.sizes("dilation_rate", rank, 1)
    filters = channels * settings.whole("depth_multiplier", 1)
    found = behind_window(call, spatial, span(kernel, dilation), strides)
    weights = math.prod(kernel) * filters
    return Outcome(
        (join(call, found, filters),),
        (Part("kernel", weights), *_bias(call, filters)),
        kernel,
        strides,
        dilation,
        channels,
        filters,
        activation=activation_of(settings),
        macs=convolution_macs(found, (weights,)),
    )


def _separable(call: Call) -> Outcome:
    rank, settings = _rank(call), call.settings
    spatial, channels = split(call, rank)
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation = settings.sizes("dilation_rate", rank, 1)
    filters, middle = settings.whole("filters"), channels * settings.whole("depth_multiplier", 1)
    found = behind_window(call, spatial, span(kernel, dilation), strides)
    depthwise, pointwise = math.prod(kernel) * middle, middle * filters
    return Outcome(
        (join(call, found, filters),),
        (Part("depthwise_kernel", depthwise), Part("pointwise_kernel", pointwise), *_bias(call, filters)),
        kernel,
        strides,
        dilation,
        channels,
        filters,
        activation=activation_of(settings),
        macs=convolution_macs(found, (depthwise,), (pointwise,)),
        kind=_kind(call),
    )


def _transposed(call: Call) -> Outcome:
    rank, settings = _rank(call), call.settings
    spatial, channels = split(call, rank)
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    dilation, filters = settings.sizes("dilation_rate", rank, 1), settings.whole("filters")
    found = _stretched(call, spatial, span(kernel, dilation), strides)
    weights = math.prod(kernel) * channels * filters
    return Outcome(
        (join(call, found, filters),),
        (Part("kernel", weights), *_bias(call, filters)),
        kernel,
        strides,
        dilation,
        1,
        filters,
        activation=activation_of(settings),
        macs=convolution_macs(spatial, (weights,)),
        kind=_kind(call),
    )


def _stretched(
    call: Call, spatial: tuple[int, ...], window: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[int, ...]:
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
    rank, settings = _rank(call), call.settings
    spatial, channels = split(call, rank)
    kernel, strides = settings.sizes("kernel_size", rank), settings.sizes("strides", rank, 1)
    filters = settings.whole("filters")
    found = behind_window(call, spatial, kernel, strides)
    of_position = math.prod(kernel) * channels * filters
    return Outcome(
        (join(call, found, filters),),
        (Part("kernel", math.prod(found) * of_position), *_bias(call, math.prod(found) * filters)),
        kernel,
        strides,
        groups=1,
        filters=filters,
        activation=activation_of(settings),
        macs=convolution_macs(found, (of_position,)),
    )


RULES = (
    dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "Convolution1D", "Convolution2D", "Convolution3D"), _convolution)
    | dict.fromkeys(("AtrousConvolution1D", "AtrousConvolution2D"), _convolution)
    | dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), _depthwise)
    | dict.fromkeys(("SeparableConv1D", "SeparableConv2D"), _separable)
    | dict.fromkeys(("SeparableConvolution1D", "SeparableConvolution2D"), _separable)
    | dict.fromkeys(("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"), _transposed)
    | dict.fromkeys(("Convolution1DTranspose", "Convolution2DTranspose", "Convolution3DTranspose"), _transposed)
    | dict.fromkeys(("Deconvolution2D", "Deconvolution3D"), _transposed)
    | dict.fromkeys(("LocallyConnected1D", "LocallyConnected2D"), _locally_connected)
)
"""Rules by class."""
