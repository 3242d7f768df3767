"""Shapes of inputs, as users write them where a model leaves its own open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.network.network import Shape

_MOST_AXES = 8
_MOST = 1_000_000_000
_SIZES = re.compile(r"[0-9]{1,10}(?:,[0-9]{1,10})+")


def parse_input_shapes(texts: Iterable[str]) -> dict[str, Shape]:
    """Return shapes by the input's name, of texts as `NAME=1,224,224,3`; the name is empty where it is left out.

    The first number is the batch; the others are in the order in which the model has its axes.

    Raises:
        UsageError: a text is not like that, or an input is given twice.
    """
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, _, sizes = text.rpartition("=")
        if name in shapes or "" in shapes or (shapes and not name):
            raise UsageError(f"input shape {text[:80]!r}: name each input once, as NAME=1,224,224,3")
        shapes[name.strip()] = _parse(sizes.replace(" ", ""), text)
    return shapes


def _parse(sizes: str, text: str) -> Shape:
    shape = tuple(map(int, sizes.split(","))) if _SIZES.fullmatch(sizes) else ()
    if not 2 <= len(shape) <= _MOST_AXES or not all(1 <= size <= _MOST for size in shape):
        raise UsageError(f"input shape {text[:80]!r} must look like [NAME=]1,224,224,3, the batch first")
    if shape[0] != 1:
        raise UsageError(f"input shape {text[:80]!r}: predictions are for a batch of 1; make the first number 1")
    return shape
