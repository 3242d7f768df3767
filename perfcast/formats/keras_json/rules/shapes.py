"""What rules share: axes of images, shapes of several tensors together, the activation that a layer ends in."""

from __future__ import annotations

import math
from itertools import zip_longest
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import written
from perfcast.formats.keras_json.safety import is_lambda
from perfcast.network.layer_types import activation_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.formats.keras_json.call import Call
    from perfcast.formats.keras_json.settings import Settings
    from perfcast.network.network import Shape


def split(call: Call, rank: int | None = None) -> tuple[Shape, int]:
    """Return the spatial sizes and the channels of the first tensor, which has `rank` spatial axes.

    Args:
        call: of a layer whose class names them where `rank` is left out.
        rank: how many.

    Raises:
        SourceError: it has another rank, or no channels.
    """
    call.need_rank((call.rank() if rank is None else rank) + 2)
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


def broadcast(call: Call, *shapes: Shape) -> Shape:
    """Return the shape that `shapes` broadcast to, as NumPy does it.

    Raises:
        SourceError: they do not.
    """
    sizes: list[int] = []
    for column in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        wide = {size for size in column if size != 1}
        if len(wide) > 1:
            call.refuse(f"merges tensors that do not fit each other: {' and '.join(map(str, shapes[:4]))[:200]}")
        sizes.append(wide.pop() if wide else 1)
    return tuple(sizes[::-1])


def concatenated(call: Call, shapes: Sequence[Shape], axis: int) -> Shape:
    """Return the shape of tensors one after the other along `axis`.

    Raises:
        SourceError: they differ in another axis.
    """
    first = shapes[0]
    for shape in shapes:
        if (*shape[:axis], *shape[axis + 1 :]) != (*first[:axis], *first[axis + 1 :]):
            call.refuse(f"joins tensors that do not fit each other: {written(first)} and {written(shape)}")
    return (*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])


def activation_of(settings: Settings, default: str = "linear") -> str:
    """Return the name of the activation function in a configuration, `default` where there is none.

    The text gives a function's name, or a dict of its class and configuration: that of a function that Keras does
    not know has the class `function` and the name as configuration, or as `name` in it. The code of a lambda, which
    stays packed, is called `lambda`.

    Raises:
        SourceError: it is anything else.
    """
    value = settings.get("activation", default)
    for _ in range(3):
        if is_lambda(value):
            return "lambda"
        if not isinstance(value, dict):
            break
        config, kind = value.get("config"), value.get("class_name")
        is_function = kind in ("function", "Activation", None)
        if isinstance(config, dict) and is_function:
            config = config.get("name") if kind is None else config.get("activation", config.get("name"))
        value = config if is_function else kind
    if not isinstance(value, str) or not value:
        settings.refuse("activation")
    return activation_name(value.rpartition(">")[2] or value)
