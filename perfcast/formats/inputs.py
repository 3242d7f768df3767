"""Shapes of inputs, as users give them where a file leaves them open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perfcast.formats.network import Shape

_MOST_AXES = 8
_MOST = 1_000_000_000
_SHAPE = re.compile(r"[0-9]{1,10}(?:,[0-9]{1,10})*")


def parse_input_shapes(texts: Iterable[str]) -> dict[str, Shape]:
    """Return shapes by the input's name, of `NAME=1,224,224,3`; the name is empty where it is left out.

    The first number is the batch, the others are in the order that the file has its axes in.

    Raises:
        UsageError: a text is not like that, or an input is given twice.
    """
    shapes: dict[str, Shape] = {}
    for text in texts:
        name, equals, sizes = text.rpartition("=")
        shape = _parse(sizes.replace(" ", ""), text)
        if name in shapes or (not equals and shapes) or "" in shapes:
            raise UsageError(f"input shape {text[:80]!r}: name each input once, as NAME=1,224,224,3")
        shapes[name] = shape
    return shapes


def _parse(sizes: str, text: str) -> Shape:
    shape = tuple(map(int, sizes.split(","))) if _SHAPE.fullmatch(sizes) else ()
    if not 2 <= len(shape) <= _MOST_AXES or not all(1 <= size <= _MOST for size in shape):
        raise UsageError(f"input shape {text[:80]!r} has to be as NAME=1,224,224,3, the batch first")
    if shape[0] != 1:
        raise UsageError(f"input shape {text[:80]!r}: forecasts are for a batch of 1; let the first number be 1")
    return shape


def settle(declared: Mapping[str, Sequence[int | None] | None], given: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shape of each input, batch of 1 included: as declared, open sizes as given.

    Args:
        declared: what the file says of each input, the batch as first axis; None is an open size, or an
            input of unknown rank. An open or absent batch counts as 1.
        given: what the user says, see `parse_input_shapes`.

    Raises:
        UsageError: there is no such input, the file has another size, or a size stays open.
    """
    if "" in given:
        if len(declared) != 1:
            raise UsageError(f"it has {len(declared)} inputs; name each, as NAME=1,224,224,3: {_names(declared)}")
        given = {next(iter(declared)): given[""]}
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise UsageError(f"it has no input {unknown[0][:80]!r}; its inputs are {_names(declared)}")
    return {name: _settle(name, shape, given.get(name)) for name, shape in declared.items()}


def _names(declared: Mapping[str, object]) -> str:
    return ", ".join(declared)[:300]


def _settle(name: str, declared: Sequence[int | None] | None, given: Shape | None) -> Shape:
    if given is None:
        if declared is None or None in declared[1:]:
            sizes = "any" if declared is None else ",".join("?" if size is None else str(size) for size in declared)
            raise UsageError(f"input {name[:80]!r} has the open shape {sizes}; say it as --input-shape {name}=1,…")
        given = (1, *(size for size in declared[1:] if size is not None))
    if declared is not None:
        wrong = len(given) != len(declared) or any(
            size not in (None, known) for size, known in zip(declared, given, strict=True)
        )
        if wrong:
            sizes = ",".join("?" if size is None else str(size) for size in declared)
            raise UsageError(f"input {name[:80]!r} has the shape {sizes}, not {','.join(map(str, given))}")
    return given
