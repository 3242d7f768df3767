"""Units in the names of columns and in cells: `Time (ms)`, `latency_ms`, `12.5 ms`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

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
_IN_BRACKETS = re.compile(r"[(\[]\s*([A-Za-zµμ]{1,8})\s*[)\]]\s*$")
_AS_ENDING = re.compile(r"_([A-Za-zµμ]{1,8})$")
_CELL = re.compile(r"\s*([+-]?[0-9.]{1,40}(?:[eE][+-]?[0-9]{1,4})?)\s*([A-Za-zµμ]{1,8})\s*")


def unit_of(symbol: str) -> Unit | None:
    """Return the unit of this symbol, None if it is not known."""
    return _UNITS.get(_OTHER_SPELLINGS.get(symbol, symbol))


def unit_in_name(name: str) -> Unit | None:
    """Return the unit that a column's name ends with, in brackets or after an underscore; None without one."""
    found = _IN_BRACKETS.search(name) or _AS_ENDING.search(name)
    return unit_of(found[1]) if found else None


def name_without_unit(name: str) -> str:
    """Return a column's name without its unit, such as `Time` and `latency`."""
    if unit_in_name(name) is None:
        return name
    return _IN_BRACKETS.sub("", name).rstrip() if _IN_BRACKETS.search(name) else _AS_ENDING.sub("", name)


def split_quantity(text: str) -> tuple[float, Unit] | None:
    """Return the number and the unit in a cell such as `12.5 ms`; None where it is something else."""
    found = _CELL.fullmatch(text)
    unit = unit_of(found[2]) if found else None
    if found is None or unit is None:
        return None
    try:
        return float(found[1]), unit
    except ValueError:
        return None
