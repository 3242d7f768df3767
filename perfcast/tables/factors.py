"""The factors that a mapping finds in a table's columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from perfcast.errors import UsageError
from perfcast.factors import factor_named
from perfcast.tables.numbers import numbers_of

if TYPE_CHECKING:
    from perfcast.tables.mapping import Mapping

_BOOLEANS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def factors_of(table: pd.DataFrame, mapping: Mapping) -> pd.DataFrame:
    """Return a column for each factor that the mapping names, by the factor's name; missing where the table has none.

    Raises:
        UsageError: a number or a boolean is expected, and there is text.
    """
    found = {name: _column(table, name, column) for name, column in mapping.factors.items()}
    return pd.DataFrame(found, index=table.index)


def _column(table: pd.DataFrame, name: str, column: str) -> pd.Series:
    factor = factor_named(name)
    if not factor.is_categorical:
        return numbers_of(table, [column])[column]
    return booleans_of(table, column, name) if factor.type is bool else _texts(table, column)


def booleans_of(table: pd.DataFrame, column: str, what: str) -> pd.Series:
    """Return a column's booleans, missing where nothing stands there.

    Args:
        table: as read.
        column: its name.
        what: it says, for the message.

    Raises:
        UsageError: other text stands there.
    """
    texts = _texts(table, column)
    values = texts.str.lower().map(_BOOLEANS)
    if (wrong := texts[values.isna() & texts.notna()]).size:
        raise UsageError(f"column {column!r}: {wrong.iloc[0]!r} must be true or false, as {what} is")
    return values


def _texts(table: pd.DataFrame, column: str) -> pd.Series:
    return table[column].astype("str").where(table[column].notna(), None)


def factor_codes(factors: pd.DataFrame) -> pd.DataFrame:
    """Return numbers that distinguish the values of factors: numeric ones are their own, names are numbered."""
    return pd.DataFrame(
        {
            name: factors[name].factorize()[0] if factor_named(name).is_categorical else factors[name]
            for name in factors
        },
        index=factors.index,
    )
