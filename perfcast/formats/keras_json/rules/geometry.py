"""Axes of images: where channels are, and how long an axis is behind a kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape


def split(call: Call, rank: int) -> tuple[Shape, int]:
    """Return the spatial sizes and the channels of the first tensor, which has `rank` spatial axes.

    Raises:
        SourceError: it has another rank, or no channels.
    """
    call.need_rank(rank + 2)
    first = call.settings.channels_first()
    spatial = call.shape[2:] if first else call.shape[1:-1]
    channels = call.shape[1] if first else call.shape[-1]
    if min(channels, *spatial) < 1:
        call.refuse("reads a tensor without elements")
    return spatial, channels


def join(call: Call, spatial: Shape, channels: int) -> Shape:
    """Return the shape of spatial sizes and channels as the layer lays them out, the batch first.

    Raises:
        SourceError: a spatial size is not positive.
    """
    if min(spatial) < 1:
        call.refuse("needs larger tensors than its inputs")
    first = call.settings.channels_first()
    return (call.shape[0], channels, *spatial) if first else (call.shape[0], *spatial, channels)


def behind_window(call: Call, spatial: Shape, window: Shape, strides: Shape) -> Shape:
    """Return the spatial sizes behind a window that slides over an image.

    With the padding `same` or `causal`, positions are counted from the strides alone.

    Args:
        call: tells the padding.
        spatial: sizes of the image.
        window: what the window spans, gaps of a dilated kernel included.
        strides: of the window.
    """
    if call.settings.word("padding", "valid", ("valid", "same", "causal")) == "valid":
        return tuple((size - span) // stride + 1 for size, span, stride in zip(spatial, window, strides, strict=True))
    return tuple(math.ceil(size / stride) for size, stride in zip(spatial, strides, strict=True))


def span(kernel: Shape, dilation: Shape) -> Shape:
    """Return what a dilated kernel spans."""
    return tuple((size - 1) * gap + 1 for size, gap in zip(kernel, dilation, strict=True))
