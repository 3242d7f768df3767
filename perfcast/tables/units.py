"""Units in the names of columns and in cells: `Time (ms)`, `latency_ms`, `12.5 ms`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

Quantity = Literal["time", "memory", "frequency", "power", "energy", "rate"]


@dataclass(frozen=True)
class Unit:
    """A unit.

    Attributes:
        symbol: as it is written.
        quantity: what it measures.
        factor: how many ms, MB, MHz, mW, mJ or 1/(GB·s) one is.
    """

    symbol: str
    quantity: Quantity
    factor: float


_UNITS: dict[str, Unit] = {
    unit.symbol: unit
    for unit in (
        Unit("ns", "time", 1e-6),
        Unit("µs", "time", 1e-3),
        Unit("ms", "time", 1.0),
        Unit("s", "time", 1e3),
        Unit("min", "time", 6e4),
        Unit("h", "time", 3.6e6),
        Unit("B", "memory", 1e-6),
        Unit("kB", "memory", 1e-3),
        Unit("MB", "memory", 1.0),
        Unit("GB", "memory", 1e3),
        Unit("KiB", "memory", 1024e-6),
        Unit("MiB", "memory", 1024**2 * 1e-6),
        Unit("GiB", "memory", 1024**3 * 1e-6),
        Unit("Hz", "frequency", 1e-6),
        Unit("kHz", "frequency", 1e-3),
        Unit("MHz", "frequency", 1.0),
        Unit("GHz", "frequency", 1e3),
        Unit("mW", "power", 1.0),
        Unit("W", "power", 1e3),
        Unit("mJ", "energy", 1.0),
        Unit("J", "energy", 1e3),
    )
}
_OTHER_SPELLINGS = {
    "us": "µs",
    "usec": "µs",
    "μs": "µs",
    "msec": "ms",
    "sec": "s",
    "secs": "s",
    "seconds": "s",
    "bytes": "B",
    "mb": "MB",
    "gb": "GB",
    "kb": "kB",
    "KB": "kB",
    "mib": "MiB",
    "gib": "GiB",
    "kib": "KiB",
    "mhz": "MHz",
    "ghz": "GHz",
    "mw": "mW",
    "mj": "mJ",
}
_MS_PER_S = 1e3
_IN_BRACKETS = re.compile(r"[(\[]\s*([A-Za-zµμ]{1,8})\s*[)\]]\s*$")
# At the end of a name, an `h` is a height more often than hours.
_AS_ENDING = re.compile(r"[_ ](?!h$)([A-Za-zµμ]{1,8})$")
_CELL = r"\A\s*([+-]?[0-9.]{1,40}(?:[eE][+-]?[0-9]{1,4})?)\s*([A-Za-zµμ]{1,8})\s*\Z"


def unit_of(symbol: str) -> Unit | None:
    """Return the unit of this symbol, None if it is not known."""
    return _UNITS.get(_OTHER_SPELLINGS.get(symbol, symbol))


def seconds_of(symbol: str) -> float:
    """Return how many s a unit of time is."""
    return _UNITS[_OTHER_SPELLINGS.get(symbol, symbol)].factor / _MS_PER_S


def is_memory(symbol: str) -> bool:
    """Return whether this is the symbol of a unit of memory."""
    unit = unit_of(symbol)
    return unit is not None and unit.quantity == "memory"


def unit_in_name(name: str) -> Unit | None:
    """Return the unit that a column's name ends with, in brackets or after an underscore or blank; None without one."""
    found = _IN_BRACKETS.search(name) or _AS_ENDING.search(name)
    return unit_of(found[1]) if found else None


def name_without_unit(name: str) -> str:
    """Return a column's name without its unit, such as `Time` and `latency`."""
    if unit_in_name(name) is None:
        return name
    return _IN_BRACKETS.sub("", name).rstrip() if _IN_BRACKETS.search(name) else _AS_ENDING.sub("", name)


def quantities_in(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the amount in cells such as `12.5 ms`, NaN elsewhere, and the `Unit` of each, None elsewhere.

    An amount is in ms, MB, MHz, mW or mJ.
    """
    texts = column.map(lambda value: value if isinstance(value, str) else "").astype("str")
    parts = texts.str.extract(_CELL)
    numbers = pd.to_numeric(parts[0], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    units = np.empty(len(column), dtype=object)
    for place in np.flatnonzero(~np.isnan(numbers)):
        units[place] = unit_of(parts[1].iloc[place])
    return numbers * np.array([unit.factor if unit else np.nan for unit in units], dtype=float), units
