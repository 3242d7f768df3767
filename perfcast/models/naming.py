"""What catalogues have in common: how parameters are written and checked, and how large a network may be."""

from __future__ import annotations

import math
import re
from typing import Any

from perfcast.errors import UsageError

_INTEGER = re.compile(r"[+-]?[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
# Words that builders would read as these numbers.
_NOT_FINITE = frozenset(("nan", "inf", "infinity"))

MAX_WEIGHTS = 1_000_000_000
"""Most weights of a network."""

MAX_MACS = 10_000_000_000_000
"""Most multiply-accumulates of one inference."""


def format_value(value: Any) -> str:
    """Return a parameter's value as sheets write it: `true`, `3`, `0.25` or a word."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_value(text: str) -> bool | int | float | str:
    """Return the value that `format_value` wrote.

    Raises:
        UsageError: it is not a boolean, a finite number or a word of letters, digits, `.`, `-` and `_`.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if _WORD.fullmatch(text) and text.lower() not in _NOT_FINITE:
        return text
    raise UsageError(f"value {text[:40]!r} must be a number, a boolean or a word")


def whole_number(parameters: dict[str, Any], key: str, most: int) -> int:
    """Return the parameter `key`, an integer between 1 and `most`.

    Raises:
        UsageError: it is missing or anything else.
    """
    value = parameters.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        raise UsageError(f"parameter {key!r} must be an integer between 1 and {most}, not {value!r}")
    return value


def only(parameters: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Refuse parameters other than `keys`.

    Raises:
        UsageError: there is one.
    """
    for key in parameters:
        if key not in keys:
            raise UsageError(f"unknown parameter {key!r}; there are {', '.join(keys)}")


def is_too_large(weights: int, macs: int) -> bool:
    """Tell whether a network is larger than catalogues take."""
    return weights > MAX_WEIGHTS or macs > MAX_MACS


def refuse_too_large(name: str, weights: int, macs: int) -> None:
    """Refuse a network that is larger than catalogues take.

    Raises:
        UsageError: it is.
    """
    if is_too_large(weights, macs):
        raise UsageError(
            f"{name} is too large: {weights:.3g} weights and {macs:.3g} multiply-accumulates, "
            f"of at most {MAX_WEIGHTS:.0e} and {MAX_MACS:.0e}"
        )
