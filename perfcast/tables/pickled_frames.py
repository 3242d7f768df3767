"""Frames that pandas pickled, those of its Python 2 days too, built from plain values alone.

Only arrays of numbers, booleans and text are built, and only as large as the data in the file says they are: what
`perfcast.tables.pickles` read is followed along the one way a frame is pickled, so its depth is known beforehand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from perfcast.errors import UsageError
from perfcast.tables.pickles import Made, Name, plain_values

MAX_BUILT_BYTES = 256 * 2**20
"""Of all arrays together: one piece of data may stand for several of them."""
_MAX_COLUMNS = 10_000
_BYTES_PER_OBJECT = 64
_TYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
_OBJECTS = frozenset(("O", "O4", "O8"))
_ORDERS = frozenset("<>=|")

_NUMPY = ("numpy.core", "numpy._core")
_INDEXES = ("pandas.core.indexes", "pandas.indexes")
_KNOWN = {
    "pandas.core.frame.DataFrame": "frame",
    "pandas.core.internals.BlockManager": "manager",
    "pandas.core.internals.managers.BlockManager": "manager",
    "pandas._libs.internals._unpickle_block": "block",
    "pandas.core.index._new_Index": "index",
    "pandas.core.index.Index": "labels",
    **{f"{room}.base._new_Index": "index" for room in _INDEXES},
    **{f"{room}.base.Index": "labels" for room in _INDEXES},
    **{f"{room}.numeric.Int64Index": "labels" for room in _INDEXES},
    **{f"{room}.range.RangeIndex": "range" for room in _INDEXES},
    "numpy.ndarray": "array class",
    "numpy.dtype": "type",
    **{f"{room}.multiarray._reconstruct": "array" for room in _NUMPY},
    **{f"{room}.numeric._frombuffer": "buffer" for room in _NUMPY},
    "__builtin__.slice": "slice",
    "builtins.slice": "slice",
    "_codecs.encode": "bytes",
    "copy_reg._reconstructor": "instance",
    "copyreg._reconstructor": "instance",
    "__builtin__.object": "object",
    "builtins.object": "object",
}
_MANAGER_STATE = "0.14.1"


@dataclass
class _Budget:
    """The bytes that may still be built."""

    left: int

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise UsageError(f"would need more than {MAX_BUILT_BYTES // 2**20} MiB; save it as CSV or Parquet")


def frame_from_pickle(data: bytes) -> pd.DataFrame:
    """Return the frame in a pickle; an index that is more than row numbers becomes its first column.

    Raises:
        UsageError: it is something else than a frame of numbers, booleans and text, is damaged or too large.
    """
    frame = plain_values(data, _KNOWN)
    state = _state_of(frame, "frame")
    manager = state.get("_mgr", state.get("_data")) if isinstance(state, dict) else None
    budget = _Budget(MAX_BUILT_BYTES)
    axes, blocks = _manager_parts(manager)
    if not isinstance(axes, list) or len(axes) != 2:
        raise _refusal("its two axes are missing")
    names, _ = _labels(axes[0], budget)
    columns = _columns(names, blocks, budget)
    return _with_index(columns, axes[1], budget)


def _refusal(what: str) -> UsageError:
    return UsageError(f"is not a pickled table: {what}; save it as CSV")


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, Made) and value.what.known_as == kind


def _state_of(value: Any, kind: str) -> Any:
    """Return the state of an instance of a known class, however it was made; protocols differ in that."""
    plain = _is(value, kind) and not value.arguments
    made = _is(value, "instance") and value.arguments[:1] == (Name(kind),)
    if not (plain or made) or not value.has_state:
        raise _refusal(f"its {kind} is missing")
    return value.state


def _manager_parts(manager: Any) -> tuple[Any, list[tuple[Any, Any]]]:
    """Return the axes, and of each block the values and the columns that these are."""
    if _is(manager, "manager") and len(manager.arguments) == 2:
        blocks, axes = manager.arguments
        return axes, [_new_block(block) for block in _listed(blocks)]
    state = _state_of(manager, "manager")
    parts = state[3].get(_MANAGER_STATE) if _is_old_state(state) else None
    if not isinstance(parts, dict):
        raise _refusal("pandas before 0.14 or another library wrote it")
    blocks = _listed(parts.get("blocks"))
    if not all(isinstance(block, dict) for block in blocks):
        raise _refusal("a block is missing")
    return parts.get("axes"), [(block.get("values"), block.get("mgr_locs")) for block in blocks]


def _is_old_state(state: Any) -> bool:
    return isinstance(state, tuple) and len(state) == 4 and isinstance(state[3], dict)


def _new_block(block: Any) -> tuple[Any, Any]:
    if not _is(block, "block") or len(block.arguments) != 3:
        raise _refusal("a block is missing")
    return block.arguments[0], block.arguments[1]


def _listed(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise _refusal("a list is missing")
    return list(value)


def _labels(index: Any, budget: _Budget) -> tuple[list[Any] | None, Any]:
    """Return the labels of an axis, None for row numbers, and its name."""
    if not _is(index, "index") or len(index.arguments) != 2 or not isinstance(index.arguments[1], dict):
        raise _refusal("an axis is of an unknown kind")
    kind, parts = index.arguments
    name = _text(parts.get("name"))
    if kind == Name("range"):
        return None, name
    if kind != Name("labels"):
        raise _refusal("an axis is of an unknown kind")
    values = _array(parts.get("data"), budget)
    if values.ndim != 1:
        raise _refusal("an axis has two dimensions")
    return values.tolist(), name


def _columns(names: list[Any] | None, blocks: list[tuple[Any, Any]], budget: _Budget) -> dict[str, np.ndarray]:
    """Return the columns in their order.

    Raises:
        UsageError: names are missing or repeated, or a column is in no block or in two.
    """
    if not names or len(names) > _MAX_COLUMNS or not all(isinstance(name, str) for name in names):
        raise _refusal("its columns have no names")
    if len(set(names)) < len(names):
        raise _refusal("two columns have the same name")
    found: dict[int, np.ndarray] = {}
    for values, where in blocks:
        array = _array(values, budget)
        places = _places(where, len(names), budget)
        if array.ndim != 2 or len(places) != len(array) or found.keys() & set(places) or len(set(places)) < len(places):
            raise _refusal("its columns and its blocks disagree")
        found |= dict(zip(places, array, strict=True))
    if len(found) != len(names) or len({len(column) for column in found.values()}) != 1:
        raise _refusal("its columns and its blocks disagree")
    return {name: found[place] for place, name in enumerate(names)}


def _places(where: Any, count: int, budget: _Budget) -> list[int]:
    """Return which columns a block holds."""
    if _is(where, "slice"):
        if len(where.arguments) != 3 or not all(isinstance(each, int | None) for each in where.arguments):
            raise _refusal("a block's place is missing")
        if where.arguments[2] == 0:
            raise _refusal("a block's place is missing")
        return list(range(count))[slice(*where.arguments)]
    values = _array(where, budget)
    if values.ndim != 1 or values.dtype.kind not in "iu" or not ((values >= 0) & (values < count)).all():
        raise _refusal("a block's place is missing")
    return [int(value) for value in values]


def _with_index(columns: dict[str, np.ndarray], axis: Any, budget: _Budget) -> pd.DataFrame:
    labels, name = _labels(axis, budget)
    frame = pd.DataFrame({key: _series(values) for key, values in columns.items()})
    if labels is None:
        return frame
    key = name or "index"
    if key in frame or len(labels) != len(frame):
        raise _refusal("its index and its columns disagree")
    frame.insert(0, key, labels)
    return frame


def _series(values: np.ndarray) -> pd.Series:
    if values.dtype == object:
        return pd.Series(values.tolist()).infer_objects()
    return pd.Series(values.astype(values.dtype.newbyteorder("=")))


def _array(value: Any, budget: _Budget) -> np.ndarray:
    """Return an array, no larger than its data in the file."""
    if _is(value, "buffer") and len(value.arguments) == 4:
        data, kind, shape, order = value.arguments
        return _filled(_shape(shape), _type(kind), data, order == "F", budget)
    empty = _is(value, "array") and value.arguments[:2] == (Name("array class"), (0,))
    if not empty or not isinstance(value.state, tuple) or len(value.state) != 5:
        raise _refusal("it holds something else than arrays of numbers and text")
    _, shape, kind, is_fortran, data = value.state
    return _filled(_shape(shape), _type(kind), data, bool(is_fortran), budget)


def _shape(value: Any) -> tuple[int, ...]:
    if not isinstance(value, tuple) or not 1 <= len(value) <= 2:
        raise _refusal("an array has no shape")
    if any(isinstance(size, bool) or not isinstance(size, int) or size < 0 for size in value):
        raise _refusal("an array has no shape")
    return value


def _type(value: Any) -> str:
    """Return numpy's name of an array's type, its byte order included; `O` for objects."""
    arguments = value.arguments if _is(value, "type") else ()
    letters = _text(arguments[0]) if arguments else None
    state = value.state if arguments and isinstance(value.state, tuple) else ()
    order = _text(state[1]) if len(state) > 1 else None
    if letters in _OBJECTS:
        return "O"
    if letters not in _TYPES or order not in _ORDERS or any(part is not None for part in state[2:5]):
        raise _refusal("an array holds something else than numbers and text")
    return f"{order}{letters}"


def _filled(shape: tuple[int, ...], kind: str, data: Any, is_fortran: bool, budget: _Budget) -> np.ndarray:
    count, order = math.prod(shape), "F" if is_fortran else "C"
    if kind == "O":
        values = data if isinstance(data, list) else []
        if len(values) != count:
            raise _refusal("an array's size and its data disagree")
        budget.take(_BYTES_PER_OBJECT * count)
        cells = np.empty(count, dtype=object)
        cells[:] = [_cell(each) for each in values]
        return cells.reshape(shape, order=order)  # type: ignore[call-overload]
    raw, kept = _bytes(data), np.dtype(kind)
    if len(raw) != count * kept.itemsize:
        raise _refusal("an array's size and its data disagree")
    budget.take(2 * len(raw))
    return np.frombuffer(raw, dtype=kept).reshape(shape, order=order)  # type: ignore[call-overload]


def _bytes(data: Any) -> bytes:
    """Return an array's data, which Python 2 wrote as text and old protocols still do."""
    if _is(data, "bytes") and len(data.arguments) == 2 and data.arguments[1] in ("latin1", "latin-1"):
        data = data.arguments[0]
    if isinstance(data, str):
        try:
            return data.encode("latin-1")
        except UnicodeEncodeError:
            raise _refusal("an array's data is not bytes") from None
    if not isinstance(data, bytes | bytearray):
        raise _refusal("an array's data is missing")
    return bytes(data)


def _cell(value: Any) -> Any:
    if isinstance(value, bytes):
        return _text(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise _refusal("a cell holds something else than a number or text")


def _text(value: Any) -> Any:
    return value.decode("latin-1") if isinstance(value, bytes) else value
