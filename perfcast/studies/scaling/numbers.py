"""Numbers in columns of text, with units or without, and what is not a number there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.tables.numbers import parsed
from perfcast.tables.units import quantities_in, seconds_of
from perfcast.text import one_line

if TYPE_CHECKING:
    import pandas as pd

_SHOWN = 40


@dataclass(frozen=True)
class Numbers:
    """A column as numbers.

    Attributes:
        values: NaN where there is no number.
        wrong: which rows hold something else than a number or nothing.
        bare: which rows hold a number without a unit beside others with one: of these the unit is unknown.
        with_units: how many values carry their unit.
        example: the first wrong value, as text on one line.
    """

    values: np.ndarray
    wrong: np.ndarray
    bare: np.ndarray
    with_units: int = 0
    example: str = ""


def numbers_in(column: pd.Series) -> Numbers:
    """Return a column of counts or sizes as numbers."""
    values = parsed(column).to_numpy(copy=True)
    wrong = np.isnan(values) & column.notna().to_numpy()
    return Numbers(values, wrong, np.zeros(len(values), bool), example=_first(column, wrong))


def times_in(column: pd.Series, seconds: float | None) -> Numbers:
    """Return a column of times in s, where a value may carry its unit (`12 ms`).

    Args:
        column: of the table.
        seconds: what a value without a unit is multiplied by; None where that is unknown: such values are returned as
            they stand, or, beside values with units, not at all.
    """
    plain = numbers_in(column)
    if not plain.wrong.any():
        return Numbers(plain.values * (seconds or 1.0), plain.wrong, plain.bare)
    amounts, units = quantities_in(column[plain.wrong])
    is_time = np.array([unit is not None and unit.quantity == "time" for unit in units], dtype=bool)
    carried = np.where(is_time, amounts * seconds_of("ms"), np.nan)
    values = plain.values * (seconds or 1.0)
    values[plain.wrong] = carried
    wrong = plain.wrong & np.isnan(values)
    count = int(np.isfinite(carried).sum())
    bare = ~plain.wrong & ~np.isnan(values) if count and seconds is None else plain.bare
    return Numbers(np.where(bare, np.nan, values), wrong, bare, count, _first(column, wrong))


def share_of_numbers(column: pd.Series) -> float:
    """Return the share of what stands in a column that is a number or a time with its unit; 1 where nothing does."""
    known = column[column.notna()]
    if not len(known):
        return 1.0
    found = times_in(known.reset_index(drop=True), 1.0)
    return 1 - float(found.wrong.mean())


def _first(column: pd.Series, wrong: np.ndarray) -> str:
    return one_line(column.to_numpy(dtype=object)[int(np.argmax(wrong))], _SHOWN) if wrong.any() else ""
