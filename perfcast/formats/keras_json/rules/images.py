"""Operations on images: convolutions and poolings of given kernels, and what resizes or cuts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Symbol
from perfcast.formats.keras_json.document import Constant
from perfcast.formats.keras_json.rules.shapes import behind_window, join, span, split
from perfcast.formats.keras_json.settings import whole_numbers
from perfcast.network.macs import convolution_macs

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape


def _listed(call: Call, key: str) -> tuple[int, ...] | None:
    """Return a setting as the operation keeps it: one number or several, which descriptors list as they are."""
    value = call.settings.get(key)
    return None if value is None else whole_numbers(value if isinstance(value, list) else [value], 1)


def _pool(call: Call) -> Outcome:
    rank = len(call.shape) - 2
    spatial, channels = split(call, rank)
    window = call.settings.sizes("pool_size", rank)
    strides = call.settings.sizes("strides", rank, window)
    found = behind_window(call, spatial, window, strides)
    kernel = _listed(call, "pool_size")
    return _images(call, found, channels, kernel=kernel, strides=_listed(call, "strides"))


def _adaptive_pool(call: Call) -> Outcome:
    rank = len(call.shape) - 2
    _, channels = split(call, rank)
    return _images(call, call.settings.sizes("output_size", rank), channels)


def _kernel(call: Call, key: str, position: int) -> Shape:
    kernel: Any = call.argument(key, position)
    if not isinstance(kernel, Symbol | Constant) or len(kernel.shape) != len(call.shape):
        call.refuse("does not give the shape of its kernel")
    return kernel.shape


def _conv(call: Call) -> Outcome:
    rank = len(call.shape) - 2
    spatial, channels = split(call, rank)
    kernel = _kernel(call, "kernel" if call.kind != "SeparableConv" else "depthwise_kernel", 1)
    strides, dilation = call.settings.sizes("strides", rank, 1), call.settings.sizes("dilation_rate", rank, 1)
    found = behind_window(call, spatial, span(kernel[:rank], dilation), strides)
    filters, kernels = kernel[-1], [kernel]
    if call.kind == "DepthwiseConv":
        filters = channels * kernel[-1]
    elif call.kind == "SeparableConv":
        pointwise = _kernel(call, "pointwise_kernel", 2)
        filters, kernels = pointwise[-1], [kernel, pointwise]
    steps = {"strides": _listed(call, "strides"), "dilation": _listed(call, "dilation_rate")}
    return _images(call, found, filters, macs=convolution_macs(found, *kernels), **steps)


def _images(call: Call, spatial: Shape, channels: int, **fields: Any) -> Outcome:
    return Outcome((join(call, spatial, channels),), dtype=call.inputs[0].dtype, **fields)


def _resize(call: Call) -> Outcome:
    sides = call.settings.sizes("size", 2)
    if len(call.shape) == 3:
        first = call.settings.channels_first()
        shape = (call.shape[0], *sides) if first else (*sides, call.shape[-1])
        return Outcome((shape,), dtype=call.inputs[0].dtype)
    return _images(call, sides, split(call, 2)[1])


def _patches(call: Call) -> Outcome:
    spatial, channels = split(call, 2)
    sides = call.settings.sizes("size", 2)
    strides, dilation = call.settings.sizes("strides", 2, sides), call.settings.sizes("dilation_rate", 2, 1)
    found = behind_window(call, spatial, span(sides, dilation), strides)
    steps = {"strides": _listed(call, "strides"), "dilation": _listed(call, "dilation_rate")}
    return _images(call, found, channels * math.prod(sides), **steps)


def _changed_margins(call: Call) -> Outcome:
    """Return the outcome of `PadImages` and `CropImages`: by their target, or by two margins a side."""
    spatial, channels = split(call, 2)
    word, sign = ("padding", 1) if call.kind == "PadImages" else ("cropping", -1)
    sides = []
    for size, target, names in zip(spatial, ("height", "width"), (("top", "bottom"), ("left", "right")), strict=True):
        if call.settings.get(f"target_{target}") is not None:
            sides.append(call.settings.whole(f"target_{target}"))
        else:
            sides.append(size + sign * sum(call.settings.whole(f"{name}_{word}", 0, 0) for name in names))
    return _images(call, tuple(sides), channels)


def _to_depth(call: Call) -> Outcome:
    spatial, channels = split(call, 2)
    block = call.settings.whole("block_size")
    if call.kind == "SpaceToDepth":
        return _images(call, tuple(size // block for size in spatial), channels * block * block)
    return _images(call, tuple(size * block for size in spatial), channels // (block * block))


RULES: dict[str, Callable[[Call], Outcome]] = {
    **dict.fromkeys(("AveragePool", "MaxPool"), _pool),
    **dict.fromkeys(("AdaptiveAveragePool", "AdaptiveMaxPool"), _adaptive_pool),
    **dict.fromkeys(("Conv", "DepthwiseConv", "SeparableConv"), _conv),
    **dict.fromkeys(("CropImages", "PadImages"), _changed_margins),
    **dict.fromkeys(("DepthToSpace", "SpaceToDepth"), _to_depth),
    "ExtractPatches": _patches,
    "RGBToGrayscale": lambda call: _images(call, split(call, 2)[0], 1),
    "Resize": _resize,
}
"""Rules by class."""
