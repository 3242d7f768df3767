"""The shapes that a model runs at: what its file declares, completed by what the user says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from perfcast.network.network import Shape

IMAGE = "*"
"""The name under which height and width of an image, batch first, are given whatever the input's layout."""

_CHANNELS = (1, 3)

_MAX_AXES = 8
_MAX_SIZE = 1_000_000_000
_SIZES = re.compile(r"[0-9]{1,10}(?:,[0-9]{1,10})+")


def resolve_shapes(declared: Mapping[str, Sequence[int | None] | None], given: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shape of each input, batch of 1 included: as declared, open sizes as given.

    Args:
        declared: what the file says of each input, the batch as first axis; None is an open size, or an
            input of unknown rank. An open batch counts as 1.
        given: what the user says: by the input's name, or under the empty name of the only input, or under
            `IMAGE` as 1, height, width.

    Raises:
        UsageError: there is no such input, the file has another size, or a size stays open.
    """
    if given.keys() & {"", IMAGE}:
        if len(declared) != 1:
            raise UsageError(f"it has {len(declared)} inputs; name each, as NAME=1,224,224,3: {_names(declared)}")
        name, shape = next(iter(declared.items()))
        given = {name: given[""] if "" in given else _image(name, shape, given[IMAGE])}
    unknown = [name for name in given if name not in declared]
    if unknown:
        raise UsageError(f"it has no input {unknown[0][:80]!r}; its inputs are {_names(declared)}")
    return {name: _settle(name, shape, given.get(name)) for name, shape in declared.items()}


def _names(declared: Mapping[str, object]) -> str:
    return ", ".join(declared)[:300]


def _image(name: str, declared: Sequence[int | None] | None, size: Shape) -> Shape:
    batch, height, width = size
    if declared is None:
        return (batch, height, width, _CHANNELS[-1])
    if len(declared) != 4:
        raise UsageError(
            f"input {name[:80]!r} has the shape {_sizes(declared)}, which is not an image's; "
            f"give its whole shape, as {name[:80]}=1,128"
        )
    if declared[1] in _CHANNELS and declared[3] not in _CHANNELS:
        return (batch, declared[1] or 0, height, width)
    return (batch, height, width, declared[3] or _CHANNELS[-1])


def _sizes(declared: Sequence[int | None]) -> str:
    return ",".join("?" if size is None else str(size) for size in declared)


def _check_batch(name: str, declared: Sequence[int | None]) -> None:
    if not declared:
        raise UsageError(f"input {name[:80]!r} is a single number; it needs at least one axis in addition to the batch")
    if declared[0] not in (None, 1):
        raise UsageError(
            f"input {name[:80]!r} has the shape {_sizes(declared)}, fixed to a batch of {declared[0]}; "
            "export it with a batch that is open or 1"
        )


def _settle(name: str, declared: Sequence[int | None] | None, given: Shape | None) -> Shape:
    if declared is not None:
        _check_batch(name, declared)
    if given is None:
        if declared is None or None in declared[1:]:
            sizes = "of unknown rank" if declared is None else _sizes(declared)
            raise UsageError(f"input {name[:80]!r} has an open shape, {sizes}; give it: --input-shape {name[:80]}=1,…")
        given = (1, *(size for size in declared[1:] if size is not None))
    fits = declared is None or (
        len(declared) == len(given) and all(known in (None, size) for known, size in zip(declared, given, strict=True))
    )
    if declared is not None and not fits:
        sizes = ",".join(map(str, given))
        raise UsageError(f"input {name[:80]!r} has the shape {_sizes(declared)}, not {sizes}")
    return given


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
    if not 2 <= len(shape) <= _MAX_AXES or not all(1 <= size <= _MAX_SIZE for size in shape):
        raise UsageError(f"input shape {text[:80]!r} must look like [NAME=]1,224,224,3, the batch first")
    if shape[0] != 1:
        raise UsageError(f"input shape {text[:80]!r}: predictions are for a batch of 1; make the first number 1")
    return shape
