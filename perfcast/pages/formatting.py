"""Numbers and names as people read them."""

from __future__ import annotations

import math
from typing import Any

from perfcast.text import escape_control as escape_control

# Studies take all their formatting from here.
from perfcast.text import pluralize as pluralize

MISSING = "–"
SPACE = "\u00a0"
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def is_number(value: Any) -> bool:
    """Tell whether ``value`` is a finite number."""
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False


def number(value: Any, digits: int = 3) -> str:
    """Return ``value`` with ``digits`` significant digits, whole from 100 up, a dash where it is missing."""
    if not is_number(value):
        return MISSING
    value = float(value)
    if value == 0:
        return "0"
    # The exponent is that of the rounded value: 9.996 is 10.0.
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2])
    if exponent < -4:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{max(0, digits - 1 - exponent)}f}"


def whole(value: Any) -> str:
    """Return a count with thousands separated, as a multiple of a power of thousand from 100,000 up."""
    if not is_number(value):
        return MISSING
    value = float(value)
    if abs(value) < 1e5:
        return f"{value:,.0f}"
    thousands = max(2, int(math.log10(abs(value)) / 3))
    return f"{value / 1000**thousands:.4g}{SPACE}×{SPACE}10{str(3 * thousands).translate(_RAISED)}"


def percent(value: Any, digits: int = 3) -> str:
    """Return ``value``, in percent, with its sign (`14.2 %`)."""
    return f"{number(value, digits)}{SPACE}%" if is_number(value) else MISSING


def span(low: Any, high: Any, digits: int = 3) -> str:
    """Return `low – high` with ``digits`` significant digits, a dash where either is missing."""
    return f"{number(low, digits)} – {number(high, digits)}" if is_number(low) and is_number(high) else MISSING


def duration(seconds: Any) -> str:
    """Return a time as people say it: `0.4 s`, `12 min`, `3.5 h`."""
    if not is_number(seconds):
        return MISSING
    value = float(seconds)
    if value < 60:
        return f"{number(value, 2)}{SPACE}s"
    if value < 3600:
        return f"{number(value / 60, 2)}{SPACE}min"
    return f"{number(value / 3600, 2)}{SPACE}h"


def text(value: Any, missing: str = MISSING) -> str:
    """Return ``value`` where it is a text that says something, else ``missing``."""
    return value if isinstance(value, str) and value else missing


def words(key: str) -> str:
    """Return a key of the data as words: `white_noise` as `White noise`."""
    spaced = key.replace("_", " ").strip()
    return spaced[:1].upper() + spaced[1:]
