"""Cells of tables from anywhere as numbers and levels: what each column holds, and what of it cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from perfcast.tables.checks import MAX_VALUE, impossible_values
from perfcast.tables.numbers import parsed
from perfcast.tables.problems import EXCLUDED, Problem, at_rows
from perfcast.tables.units import quantities_in

if TYPE_CHECKING:
    from perfcast.tables.units import Unit

Kind = Literal["numbers", "quantities", "text", "nested", "empty"]

MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "?")
_CONVERTED = "converted"


def without_markers(column: pd.Series) -> pd.Series:
    """Return a column with what stands for a missing value missing."""
    if is_numeric_dtype(column) or is_bool_dtype(column):
        return column
    if _is_text(column):
        return column.mask(column.str.strip().isin(MISSING))
    texts = [isinstance(value, str) and value.strip() in MISSING for value in column]
    return column.mask(np.array(texts, dtype=bool))


def _is_text(column: pd.Series) -> bool:
    """Return whether all cells are texts, as those of text tables are: then pandas can do without a loop."""
    return isinstance(column.dtype, pd.StringDtype)


def kind_of(column: pd.Series) -> Kind:
    """Return what a column without markers holds: a number per cell, numbers with units, or texts."""
    known = column.dropna()
    if known.empty:
        return "empty"
    if is_bool_dtype(column):
        return "text"
    if is_numeric_dtype(column):
        return "numbers"
    if not _is_text(column) and any(isinstance(value, dict | list | tuple | set | np.ndarray) for value in known):
        return "nested"
    if numbers_in(known).notna().all():
        return "numbers"
    amounts, _ = quantities_in(known)
    return "quantities" if np.isfinite(amounts).mean() > 0.5 else "text"


def numbers_in(column: pd.Series) -> pd.Series:
    """Return a column's numbers, NaN where there is something else."""
    if is_bool_dtype(column):
        return pd.Series(np.nan, index=column.index)
    return parsed(column)


def levels_in(column: pd.Series, kind: Kind) -> pd.Series:
    """Return a factor's levels: numbers, missing where they are out of range, or texts."""
    if kind == "numbers":
        numbers = numbers_in(column)
        return numbers.where(numbers.abs() < MAX_VALUE)
    texts = column.str.strip() if _is_text(column) else column.map(lambda value: str(value).strip(), na_action="ignore")
    return texts.astype(object).where(column.notna(), None)


def measured_in(part: pd.DataFrame, name: str, unit: Unit | None) -> tuple[pd.Series, list[pd.DataFrame]]:
    """Return a metric's values in ``unit``, NaN where they cannot be used, and what is wrong with those.

    Cells with a unit of their own are converted, and listed.
    """
    column = part[name]
    numbers, lines = numbers_in(column), []
    texts = numbers.isna() & column.notna()
    if texts.any():
        numbers, converted = _with_units(column, numbers, unit)
        lines.append(at_rows(part, converted, Problem(name, "has another unit than the column", _CONVERTED)))
        texts &= numbers.isna()
    wrong = {"is missing": column.isna().to_numpy(), "is not a number": texts.to_numpy()}
    wrong |= impossible_values(numbers.to_numpy())
    lines += [at_rows(part, rows, Problem(name, what, EXCLUDED)) for what, rows in wrong.items() if rows.any()]
    return numbers.mask(np.any(list(wrong.values()), axis=0)), lines


def _with_units(column: pd.Series, numbers: pd.Series, unit: Unit | None) -> tuple[pd.Series, np.ndarray]:
    """Return numbers with those of cells that name a unit, and which of these were in another one.

    Where some cells name a unit, those that name none are ambiguous unless the column's name has it.
    """
    if unit is None:
        return numbers, np.zeros(len(column), dtype=bool)
    amounts, units = quantities_in(column)
    is_same = np.array([each is not None and each.quantity == unit.quantity for each in units], dtype=bool)
    found = np.where(is_same, amounts / unit.factor, numbers)
    return pd.Series(found, index=column.index), is_same & (units != unit)
