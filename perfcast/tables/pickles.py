"""Pickles as plain values, without running anything.

Python's own reader calls whatever a pickle names. The machine here has the same stack and the same memo, but it only
notes what would be called: a `Made` with its arguments. It knows the operations that tables need and a list of names,
and refuses everything else. What it builds is bounded by the file's size and by the number of operations, and nothing
is ever walked through that was not read: a list that holds itself ten times over is as small as it is in the file.
"""

from __future__ import annotations

import pickletools
import struct
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.text import escape_control, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_BYTES = 64 * 2**20
MAX_OPERATIONS = 2_000_000
_MAX_KEYS = 1000
"""Keys could be chosen to collide, which takes quadratic time."""
_MAX_INTEGER = 2**64
_MAX_NAME_LENGTH = 80
_BROKEN = (ValueError, IndexError, KeyError, OverflowError, struct.error, MemoryError, DeprecationWarning)


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that a pickle refers to, by what the caller calls it."""

    known_as: str


@dataclass(slots=True, eq=False)
class Made:
    """What a pickle would make: by what, from which arguments, and the state it would then set."""

    what: Name
    arguments: tuple[Any, ...]
    state: Any = None
    has_state: bool = False


def plain_values(data: bytes, known: Mapping[str, str]) -> Any:
    """Return what a pickle holds: numbers, text, bytes, tuples, lists, mappings, `Name` and `Made`.

    Args:
        data: the pickle, of any protocol.
        known: the classes and functions that it may refer to, such as `numpy.ndarray`, and what to call them.

    Raises:
        UsageError: it is damaged or too large, or needs something else than these.
    """
    if len(data) > MAX_BYTES:
        raise UsageError(f"is larger than {MAX_BYTES // 2**20} MiB; save it as CSV or Parquet")
    try:
        # No writer of pickles makes an escape that does not exist: Python only warns of it.
        with warnings.catch_warnings(action="error", category=DeprecationWarning):
            return _run(data, _Machine(known))
    except _BROKEN as error:
        raise UsageError(f"is not a complete pickle ({_shown(error)})") from error


def _run(data: bytes, machine: _Machine) -> Any:
    for count, (operation, argument, _) in enumerate(pickletools.genops(data)):
        if count == MAX_OPERATIONS:
            raise UsageError(f"has more than {MAX_OPERATIONS:,} operations; save it as CSV or Parquet")
        machine.do(operation.name, argument)
    return machine.result()


def _shown(value: Any) -> str:
    return escape_control(shorten(str(value), _MAX_NAME_LENGTH))


class _Machine:
    """The stack, the marks on it and the memo."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def do(self, name: str, argument: Any) -> None:
        """Carry out one operation.

        Raises:
            UsageError: tables do not need it.
            IndexError, KeyError, ValueError: the stack or the memo lacks what it needs.
        """
        if name in _PUSHES:
            self._push(argument)
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)
        else:
            raise UsageError(f"holds more than a table (operation {name}); save it as CSV")

    def result(self) -> Any:
        """Return the one value that is left."""
        if len(self._stack) != 1 or self._marks:
            raise ValueError("it leaves no single value")
        return self._stack[0]

    def _push(self, value: Any) -> None:
        if isinstance(value, int) and abs(value) >= _MAX_INTEGER:
            raise UsageError("holds an integer of more than 64 bits; save it as CSV")
        self._stack.append(value)

    def pop(self) -> Any:
        """Return the last value above the last mark, and remove it."""
        self._refuse_below_mark(1)
        return self._stack.pop()

    def top(self) -> Any:
        """Return the last value above the last mark."""
        self._refuse_below_mark(1)
        return self._stack[-1]

    def _refuse_below_mark(self, count: int) -> None:
        if len(self._stack) - (self._marks[-1] if self._marks else 0) < count:
            raise ValueError("a value is missing")

    def above_mark(self) -> list[Any]:
        """Return the values above the last mark, and remove them with it."""
        place = self._marks.pop()
        values = self._stack[place:]
        del self._stack[place:]
        return values

    def mark(self, _: Any) -> None:
        self._marks.append(len(self._stack))

    def drop(self, _: Any) -> None:
        self.pop()

    def drop_to_mark(self, _: Any) -> None:
        self.above_mark()

    def double(self, _: Any) -> None:
        self._push(self.top())

    def tuple_of(self, count: int) -> None:
        self._refuse_below_mark(count)
        place = len(self._stack) - count
        values = tuple(self._stack[place:])
        del self._stack[place:]
        self._push(values)

    def extend(self, values: list[Any]) -> None:
        found = self.top()
        if not isinstance(found, list):
            raise ValueError("appends to what is not a list")
        found.extend(values)

    def append(self, _: Any) -> None:
        self.extend([self.pop()])

    def set_items(self, pairs: list[Any]) -> None:
        found = self.top()
        if not isinstance(found, dict):
            raise ValueError("sets items of what is not a mapping")
        found.update(_pairs(pairs))
        if len(found) > _MAX_KEYS:
            raise UsageError(f"holds a mapping of more than {_MAX_KEYS:,} keys; save it as CSV")

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    def new_mapping(self, pairs: list[Any]) -> None:
        self._push({})
        self.set_items(pairs)

    def remember(self, place: int) -> None:
        self._memo[place] = self.top()

    def remember_next(self, _: Any) -> None:
        self.remember(len(self._memo))

    def recall(self, place: int) -> None:
        self._push(self._memo[place])

    def name(self, argument: str) -> None:
        self._push_name(*argument.split(" ", 1))

    def name_from_stack(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise ValueError("a name is not text")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        full = f"{module}.{name}"
        if full not in self._known:
            raise UsageError(f"refers to {_shown(full)}, which no table needs; nothing of it was run; save it as CSV")
        self._push(Name(self._known[full]))

    def make(self, _: Any) -> None:
        arguments, what = self.pop(), self.pop()
        if not isinstance(what, Name) or not isinstance(arguments, tuple):
            raise UsageError("calls what is not the name of a table's part; nothing of it was run; save it as CSV")
        self._push(Made(what, arguments))

    def set_state(self, _: Any) -> None:
        state, made = self.pop(), self.top()
        if not isinstance(made, Made) or made.has_state:
            raise UsageError("sets the state of what has none; nothing of it was run; save it as CSV")
        made.state, made.has_state = state, True

    def push_new(self, make: Callable[[], Any]) -> None:
        self._push(make())


def _pairs(values: list[Any]) -> dict[Any, Any]:
    keys = values[::2]
    if len(values) % 2 or any(not isinstance(key, str | int | bytes | None) for key in keys):
        raise ValueError("a mapping's key is missing, or not text or a number")
    return dict(zip(keys, values[1::2], strict=True))


_NUMBERS = ("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
_TEXTS = ("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8")
_BYTES = ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
_PUSHES = frozenset((*_NUMBERS, *_TEXTS, *_BYTES))

_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": lambda machine, argument: None,
    "FRAME": lambda machine, argument: None,
    "STOP": lambda machine, argument: None,
    "NONE": lambda machine, argument: machine.push_new(lambda: None),
    "NEWTRUE": lambda machine, argument: machine.push_new(lambda: True),
    "NEWFALSE": lambda machine, argument: machine.push_new(lambda: False),
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "DUP": _Machine.double,
    "EMPTY_LIST": lambda machine, argument: machine.push_new(list),
    "EMPTY_DICT": lambda machine, argument: machine.push_new(dict),
    "EMPTY_TUPLE": lambda machine, argument: machine.push_new(tuple),
    "LIST": lambda machine, argument: machine.push_new(machine.above_mark),
    "TUPLE": lambda machine, argument: machine.push_new(lambda: tuple(machine.above_mark())),
    "DICT": lambda machine, argument: machine.new_mapping(machine.above_mark()),
    "TUPLE1": lambda machine, argument: machine.tuple_of(1),
    "TUPLE2": lambda machine, argument: machine.tuple_of(2),
    "TUPLE3": lambda machine, argument: machine.tuple_of(3),
    "APPEND": _Machine.append,
    "APPENDS": lambda machine, argument: machine.extend(machine.above_mark()),
    "SETITEM": _Machine.set_item,
    "SETITEMS": lambda machine, argument: machine.set_items(machine.above_mark()),
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _Machine.remember_next,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.make,
    "NEWOBJ": _Machine.make,
    "BUILD": _Machine.set_state,
}
