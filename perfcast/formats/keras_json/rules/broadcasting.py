"""Shapes of several tensors taken together."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import written

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.formats.keras_json.call import Call
    from perfcast.network.network import Shape


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
