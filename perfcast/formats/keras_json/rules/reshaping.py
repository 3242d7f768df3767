"""Layers that move, cut, add or repeat elements."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome
from perfcast.formats.keras_json.rules.geometry import join, split
from perfcast.formats.keras_json.settings import whole_numbers

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape


def reshaped(call: Call, read: Shape, target: Any) -> Shape:
    """Return the shape that elements of shape `read` get, one size of `target` being left open by -1.

    Raises:
        SourceError: the elements do not fill it.
    """
    # Keras 3 leaves sizes that hang on the batch open by null.
    listed = [-1 if size is None else size for size in target] if isinstance(target, list) else [target]
    sizes = whole_numbers(listed, -1)
    if sizes is None or sizes.count(-1) > 1:
        call.refuse(f"cannot reshape to {str(target)[:80]}")
    elements, known = math.prod(read), math.prod(size for size in sizes if size != -1)
    rest = elements // known if known else 0
    shape = tuple(rest if size == -1 else size for size in sizes)
    if math.prod(shape) != elements:
        call.refuse(f"cannot reshape {elements} elements to {str(target)[:80]}")
    return shape


def _same_type(call: Call, shape: Shape) -> Outcome:
    return Outcome((shape,), dtype=call.inputs[0].dtype)


def _reshape(call: Call) -> Outcome:
    return _same_type(call, (call.shape[0], *reshaped(call, call.shape[1:], call.settings.get("target_shape"))))


def _flatten(call: Call) -> Outcome:
    return _same_type(call, (call.shape[0], math.prod(call.shape[1:])))


def _permute(call: Call) -> Outcome:
    dims = call.settings.get("dims")
    axes = whole_numbers(dims, 1) if isinstance(dims, list) else None
    if axes is None or sorted(axes) != list(range(1, len(call.shape))):
        call.settings.refuse("dims")
    return _same_type(call, (call.shape[0], *(call.shape[axis] for axis in axes)))


def _repeat_vector(call: Call) -> Outcome:
    call.need_rank(2)
    return _same_type(call, (call.shape[0], call.settings.whole("n"), call.shape[1]))


def _rank(call: Call) -> int:
    return int(call.kind[-2])


def _zero_padding(call: Call) -> Outcome:
    spatial, channels = split(call, _rank(call))
    margins = call.settings.margins("padding", _rank(call))
    padded = tuple(size + before + after for size, (before, after) in zip(spatial, margins, strict=True))
    return Outcome((join(call, padded, channels),))


def _cropping(call: Call) -> Outcome:
    spatial, channels = split(call, _rank(call))
    margins = call.settings.margins("cropping", _rank(call))
    cropped = tuple(size - before - after for size, (before, after) in zip(spatial, margins, strict=True))
    return Outcome((join(call, cropped, channels),))


def _upsampling(call: Call) -> Outcome:
    rank = _rank(call)
    spatial, channels = split(call, rank)
    times = call.settings.sizes("size", rank, 2)
    return Outcome((join(call, tuple(size * more for size, more in zip(spatial, times, strict=True)), channels),))


RULES = (
    {f"ZeroPadding{rank}D": _zero_padding for rank in (1, 2, 3)}
    | {f"Cropping{rank}D": _cropping for rank in (1, 2, 3)}
    | {f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)}
    | {"Flatten": _flatten, "Permute": _permute, "RepeatVector": _repeat_vector, "Reshape": _reshape}
)
"""Rules by class."""
