"""How values of parameters are written in sheets and names of networks, and how names are shown."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
# Words that builders would read as these numbers.
_NOT_FINITE = frozenset(("nan", "inf", "infinity"))

# Controls command terminals, marks and overrides of direction reorder what surrounds them, and lone surrogates
# cannot be written at all.
_CONTROLS = (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
_DIRECTIONS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_SURROGATES = range(0xD800, 0xE000)
_HIDDEN = dict.fromkeys((*_CONTROLS, *_DIRECTIONS, *_SURROGATES), "\ufffd")


def format_value(value: Any) -> str:
    """Return a parameter's value as sheets write it: `true`, `3`, `0.25` or a word."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_value(text: str) -> bool | int | float | str:
    """Return the value that `format_value` wrote.

    Raises:
        UsageError: it is no boolean, finite number or word of letters, digits, `.`, `-` and `_`.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if _WORD.fullmatch(text) and text.lower() not in _NOT_FINITE:
        return text
    raise UsageError(f"value {text[:40]!r} is no number, true, false or word")


def escape_control(text: Any) -> str:
    """Return ``text`` with each character that could harm where it is shown replaced by `�`.

    Those are control characters, line breaks too, characters that reorder their surroundings and lone surrogates.
    """
    return str(text).translate(_HIDDEN)


def pluralize(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 model`, `1,016 models`."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def format_list(texts: Sequence[str], total: int, joint: str = ", ") -> str:
    """Return ``texts``, the first of a ``total``, as `a, b and 3 more`."""
    more = f" and {total - len(texts):,} more" if total > len(texts) else ""
    return joint.join(texts) + more


def whole_number(parameters: dict[str, Any], key: str, most: int) -> int:
    """Return the parameter `key`, a whole number from 1 to `most`.

    Raises:
        UsageError: it is missing or anything else.
    """
    value = parameters.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UsageError(f"parameter {key!r} has to be a whole number from 1 to {most}, not {value!r}")
    return value


def only(parameters: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Refuse parameters other than `keys`.

    Raises:
        UsageError: there is one.
    """
    for key in parameters:
        if key not in keys:
            raise UsageError(f"unknown parameter {key!r}; there are {', '.join(keys)}")
