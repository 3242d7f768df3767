"""Layers and operations that move, cut, join or repeat elements."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from perfcast.formats.keras_json.call import Outcome, Symbol
from perfcast.formats.keras_json.document import Constant
from perfcast.formats.keras_json.rules.shapes import concatenated, join, split
from perfcast.formats.keras_json.settings import promoted, whole_numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape

    Rule = Callable[[Call], Outcome]


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


def _reshape_layer(call: Call) -> Outcome:
    return _one(call, (call.shape[0], *reshaped(call, call.shape[1:], call.settings.get("target_shape"))))


def _permute(call: Call) -> Outcome:
    dims = call.settings.get("dims")
    axes = whole_numbers(dims, 1) if isinstance(dims, list) else None
    if axes is None or sorted(axes) != list(range(1, len(call.shape))):
        call.settings.refuse("dims")
    return _one(call, (call.shape[0], *(call.shape[axis] for axis in axes)))


def _repeat_vector(call: Call) -> Outcome:
    call.need_rank(2)
    return _one(call, (call.shape[0], call.settings.whole("n"), call.shape[1]))


def _changed_margins(key: str, sign: int) -> Rule:
    """Return the rule of a layer that adds margins to images, or cuts them off."""

    def rule(call: Call) -> Outcome:
        spatial, channels = split(call)
        margins = call.settings.margins(key, call.rank())
        return Outcome(
            (join(call, tuple(n + sign * sum(pair) for n, pair in zip(spatial, margins, strict=True)), channels),)
        )

    return rule


def _upsampling(call: Call) -> Outcome:
    spatial, channels = split(call)
    times = call.settings.sizes("size", call.rank(), 2)
    return Outcome((join(call, tuple(size * more for size, more in zip(spatial, times, strict=True)), channels),))


def _outcome(call: Call, *shapes: Shape) -> Outcome:
    return Outcome(shapes, dtype=promoted(symbol.dtype for symbol in call.inputs))


def _one(call: Call, shape: Shape) -> Outcome:
    return Outcome((shape,), dtype=call.inputs[0].dtype)


def _resized(call: Call, axis: int, *sizes: int) -> Outcome:
    """Return the outcome of an operation that puts these sizes in the place of an axis."""
    return _outcome(call, (*call.shape[:axis], *sizes, *call.shape[axis + 1 :]))


def _axis(call: Call, key: str = "axis", position: int | None = None, default: int = 0, more: int = 0) -> int:
    """Return an axis of the first tensor, `more` axes being counted beyond those that it has."""
    axis, rank = call.argument(key, position, default), len(call.shape) + more
    if type(axis) is not int or not -rank <= axis < rank:
        call.refuse(f"has no axis {str(axis)[:80]}")
    return axis % rank


def _whole(call: Call, value: Any, least: int = 0) -> list[int]:
    """Return one or a list of whole numbers as a list."""
    if isinstance(value, Constant):
        value = value.values
    numbers = whole_numbers(value if isinstance(value, list) else [value], least)
    if numbers is None:
        call.refuse(f"cannot take {str(value)[:80]}")
    return list(numbers)


def _reshape(call: Call) -> Outcome:
    target = call.argument("newshape", 1)
    if isinstance(target, list):
        # The batch, or what else is only known when it runs.
        target = [-1 if isinstance(size, Symbol) else size for size in target]
    if isinstance(target, list) and target.count(None) + target.count(-1) > 1 and target[0] in (None, -1):
        target = [call.shape[0], *target[1:]]
    return _outcome(call, reshaped(call, call.shape, target))


def _transpose(call: Call) -> Outcome:
    rank = len(call.shape)
    told = call.argument("axes", 1)
    axes = list(range(rank))[::-1] if told is None else [axis % rank for axis in _whole(call, told, -rank)]
    if sorted(axes) != list(range(rank)):
        call.settings.refuse("axes")
    return _outcome(call, tuple(call.shape[axis] for axis in axes))


def _expand(call: Call) -> Outcome:
    told = call.argument("axis", 1)
    axes = _whole(call, told, -9)
    rank = len(call.shape) + len(axes)
    at = {axis % rank for axis in axes}
    sizes = iter(call.shape)
    return _outcome(call, tuple(1 if axis in at else next(sizes) for axis in range(rank)))


def _squeeze(call: Call) -> Outcome:
    told, rank = call.argument("axis", 1), len(call.shape)
    # The batch, which is 1 by chance, stays.
    ones = [axis for axis, size in enumerate(call.shape) if axis and size == 1]
    axes = set(ones) if told is None else {axis % rank for axis in _whole(call, told, -rank)}
    if any(call.shape[axis] != 1 for axis in axes):
        call.refuse("squeezes an axis that is longer than 1")
    return _outcome(call, tuple(size for axis, size in enumerate(call.shape) if axis not in axes))


def _concatenate(call: Call) -> Outcome:
    axis = _axis(call, "axis", 1)
    return _outcome(call, concatenated(call, [symbol.shape for symbol in call.inputs], axis))


def _append(call: Call) -> Outcome:
    if call.argument("axis", 2) is None:
        return _outcome(call, (sum(math.prod(symbol.shape) for symbol in call.inputs),))
    return _concatenate(call)


def _stacked_along(axis: int) -> Rule:
    return lambda call: _outcome(call, concatenated(call, [symbol.shape for symbol in call.inputs], axis))


def _stack(call: Call) -> Outcome:
    axis = _axis(call, "axis", 1, more=1)
    if len({symbol.shape for symbol in call.inputs}) != 1:
        call.refuse("stacks tensors of different shapes")
    return _outcome(call, (*call.shape[:axis], len(call.inputs), *call.shape[axis:]))


def _unstack(call: Call) -> Outcome:
    axis = _axis(call)
    outcome = _resized(call, axis)
    return replace(outcome, shapes=outcome.shapes * min(call.shape[axis], 10_000))


def _split(call: Call) -> Outcome:
    axis = _axis(call, "axis", 2)
    told = call.argument("indices_or_sections", 1)
    size = call.shape[axis]
    if isinstance(told, int):
        if not 1 <= told <= 10_000 or (size % told and call.kind == "Split"):
            call.refuse(f"cannot split {size} elements in {told} parts")
        long = size % told
        sizes = [size // told + (part < long) for part in range(told)]
    else:
        ends = [0, *(min(size, index if index >= 0 else size + index) for index in _whole(call, told, -size)), size]
        sizes = [max(0, end - start) for start, end in itertools.pairwise(ends)]
    return _outcome(call, *((*call.shape[:axis], part, *call.shape[axis + 1 :]) for part in sizes))


def _tile(call: Call) -> Outcome:
    repeats = _whole(call, call.argument("repeats", 1))
    rank = max(len(repeats), len(call.shape))
    shape, times = ((1,) * (rank - len(sizes)) + tuple(sizes) for sizes in (call.shape, repeats))
    return _outcome(call, tuple(size * more for size, more in zip(shape, times, strict=True)))


def _repeat(call: Call) -> Outcome:
    repeats = _whole(call, call.argument("repeats", 1))
    if call.argument("axis", 2) is None:
        return _outcome(call, (math.prod(call.shape) * repeats[0],))
    axis = _axis(call, "axis", 2)
    return _resized(call, axis, call.shape[axis] * repeats[0] if len(repeats) == 1 else sum(repeats))


def _broadcast_to(call: Call) -> Outcome:
    target = call.argument("shape", 1)
    sizes = [1 if size is None or isinstance(size, Symbol) else size for size in target]
    return _outcome(call, tuple(_whole(call, sizes)))


def _moveaxis(call: Call) -> Outcome:
    rank = len(call.shape)
    sources, targets = (
        [axis % rank for axis in _whole(call, call.argument(key, position), -rank)]
        for key, position in (("source", 1), ("destination", 2))
    )
    order = [axis for axis in range(rank) if axis not in sources]
    for target, source in sorted(zip(targets, sources, strict=True)):
        order.insert(target, source)
    return _outcome(call, tuple(call.shape[axis] for axis in order))


def _swapped(call: Call, first: int, second: int) -> Outcome:
    sizes = list(call.shape)
    sizes[first], sizes[second] = sizes[second], sizes[first]
    return _outcome(call, tuple(sizes))


def _pad(call: Call) -> Outcome:
    told = call.argument("pad_width", 1)
    pairs = [[told, told]] if isinstance(told, int) else [told] if isinstance(told[0], int) else told
    widths = [_whole(call, pair) for pair in (pairs * len(call.shape) if len(pairs) == 1 else pairs)]
    return _outcome(call, tuple(size + pair[0] + pair[-1] for size, pair in zip(call.shape, widths, strict=True)))


def _take(call: Call) -> Outcome:
    indices = call.argument("indices", 1)
    known = (len(indices),) if isinstance(indices, list) else ()
    picked = indices.shape if isinstance(indices, Symbol | Constant) else known
    if call.argument("axis", 2) is None:
        return _one(call, picked)
    axis = _axis(call, "axis", 2)
    return _one(call, (*call.shape[:axis], *picked, *call.shape[axis + 1 :]))


def _take_along(call: Call) -> Outcome:
    indices = call.argument("indices", 1)
    return _one(call, indices.shape if isinstance(indices, Symbol) else call.shape)


def _get_item(call: Call) -> Outcome:
    key = call.argument("key", 1)
    keys = key if isinstance(key, list) else [key]
    return _one(call, picked(call, call.shape, keys))


def picked(call: Call, shape: Shape, keys: list[Any]) -> Shape:
    """Return the shape of `tensor[keys]`, keys being numbers, slices, `...`, None for a new axis or tensors.

    Raises:
        SourceError: there are more keys than axes, or a key of another type.
    """
    taken = sum(key is not None and key is not ... for key in keys)
    if taken > len(shape) or keys.count(...) > 1:
        call.refuse(f"has more keys than {len(shape)} axes")
    rest = len(shape) - taken
    expanded: list[Any] = []
    for key in keys if ... in keys else [*keys, ...]:
        expanded += [slice(None)] * rest if key is ... else [key]
    sizes, found = iter(shape), []
    for key in expanded:
        if key is None:
            found.append(1)
            continue
        size = next(sizes)
        if isinstance(key, slice):
            found.append(len(range(*key.indices(size))))
        elif isinstance(key, Symbol | Constant):
            found += key.shape
        elif type(key) is not int:
            call.refuse(f"has the key {str(key)[:80]}, which is not a number or slice")
    return tuple(found)


def _slice(call: Call) -> Outcome:
    target = call.argument("shape", 2)
    sizes = [1 if size is None else size for size in target]
    starts = call.argument("start_indices", 1)
    begin = starts if isinstance(starts, list) else [0] * len(sizes)
    filled = [
        whole - start if size == -1 else size for size, whole, start in zip(sizes, call.shape, begin, strict=True)
    ]
    return _outcome(call, tuple(_whole(call, filled)))


def _one_hot(call: Call) -> Outcome:
    axis = _axis(call, "axis", None, -1, more=1)
    shape = (*call.shape[:axis], call.settings.whole("num_classes"), *call.shape[axis:])
    return Outcome((shape,), dtype=call.settings.word("dtype", "float32"))


def _half(call: Call) -> Outcome:
    axis = _axis(call, default=-1)
    return _resized(call, axis, call.shape[axis] // 2)


def _rotated(call: Call) -> Outcome:
    first, second = call.settings.axes("axes", len(call.shape), [0, 1])
    return _swapped(call, first, second if call.settings.whole("k", 1, -1000) % 2 else first)


RULES: dict[str, Rule] = {
    **{f"ZeroPadding{rank}D": _changed_margins("padding", 1) for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": _changed_margins("cropping", -1) for rank in (1, 2, 3)},
    **{f"UpSampling{rank}D": _upsampling for rank in (1, 2, 3)},
    "Flatten": lambda call: _one(call, (call.shape[0], math.prod(call.shape[1:]))),
    "Permute": _permute,
    "RepeatVector": _repeat_vector,
    "Reshape": _reshape_layer,
}
"""Rules of layers by class."""

OPERATIONS: dict[str, Rule] = {
    "Append": _append,
    "ArraySplit": _split,
    "BroadcastTo": _broadcast_to,
    "Concatenate": _concatenate,
    "ExpandDims": _expand,
    "GetItem": _get_item,
    "Glu": _half,
    "Hstack": _stacked_along(1),
    "Moveaxis": _moveaxis,
    "OneHot": _one_hot,
    "Pad": _pad,
    "Repeat": _repeat,
    "Reshape": _reshape,
    "Rot90": _rotated,
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Stack": _stack,
    "Swapaxes": lambda call: _swapped(call, _axis(call, "axis1", 1), _axis(call, "axis2", 2)),
    "Take": _take,
    "TakeAlongAxis": _take_along,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unstack": _unstack,
    "Vstack": _stacked_along(0),
}
"""Rules of operations by class."""
