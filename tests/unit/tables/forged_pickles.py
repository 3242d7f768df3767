"""Pickles put together by hand: what no library writes, but a stranger may."""

import struct
from dataclasses import dataclass
from typing import Any

_NOTHING = object()


@dataclass
class Call:
    """Calls a function by its name, as `module name`, and sets a state."""

    name: str
    arguments: Any = ()
    state: Any = _NOTHING


@dataclass
class Raw:
    """Operations as they are."""

    data: bytes


def forged(value: Any, end: bytes = b".") -> bytes:
    """Return a pickle of protocol 2 of plain values, calls and raw operations."""
    return b"\x80\x02" + _operations(value) + end


def _operations(value: Any) -> bytes:
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Call):
        state = b"" if value.state is _NOTHING else _operations(value.state) + b"b"
        return b"c" + value.name.replace(" ", "\n").encode() + b"\n" + _operations(value.arguments) + b"R" + state
    if value is None:
        return b"N"
    if isinstance(value, bool):
        return b"\x88" if value else b"\x89"
    if isinstance(value, int):
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8b" + struct.pack("<i", len(data)) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        return b"X" + struct.pack("<I", len(data)) + data
    if isinstance(value, bytes):
        return b"T" + struct.pack("<i", len(value)) + value
    if isinstance(value, dict):
        return b"}(" + b"".join(_operations(part) for pair in value.items() for part in pair) + b"u"
    inner = b"".join(map(_operations, value))
    return b"(" + inner + b"t" if isinstance(value, tuple) else b"](" + inner + b"e"


def dtype(name: str, order: str = "<") -> Call:
    return Call("numpy dtype", (name, 0, 1), (3, order, None, None, None, -1, -1, 0))


def array(shape: Any, kind: Any, data: Any, *, fortran: bool = False) -> Call:
    empty = (Raw(b"cnumpy\nndarray\n"), (0,), b"b")
    return Call("numpy.core.multiarray _reconstruct", empty, (1, shape, kind, fortran, data))


def index(values: list[Any], name: Any = None) -> Call:
    data = {"data": array((len(values),), dtype("O8", "|"), values), "name": name}
    return Call("pandas.core.indexes.base _new_Index", (Raw(b"cpandas.core.indexes.base\nIndex\n"), data))


def row_numbers(count: int) -> Call:
    parts = {"start": 0, "stop": count, "step": 1, "name": None}
    return Call("pandas.core.indexes.base _new_Index", (Raw(b"cpandas.core.indexes.range\nRangeIndex\n"), parts))


def frame(names: list[Any], values: Any, *, places: Any = None, rows: Any = None) -> Call:
    """Return a frame of one block with ``values``, or of these blocks, as pandas of Python 2 days wrote it."""
    where = Call("__builtin__ slice", (0, len(names), 1)) if places is None else places
    axes = [index(names), row_numbers(2) if rows is None else rows]
    blocks = values if isinstance(values, list) else [{"values": values, "mgr_locs": where}]
    state = (axes, [], [], {"0.14.1": {"axes": axes, "blocks": blocks}})
    manager = _instance("pandas.core.internals BlockManager", state)
    return _instance("pandas.core.frame DataFrame", {"_metadata": [], "_typ": "dataframe", "_data": manager})


def _instance(name: str, state: Any) -> Raw:
    made = b"c" + name.replace(" ", "\n").encode() + b"\n)\x81"
    return Raw(made + _operations(state) + b"b")
