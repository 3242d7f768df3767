"""Columns of a table as numbers to learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from perfcast.errors import UsageError
from perfcast.tables.names import refuse_collisions
from perfcast.tables.patterns import MAX_LENGTH
from perfcast.tables.reading import TABLE
from perfcast.tables.text_tables import ROW
from perfcast.text import format_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.tables.mapping import Mapping, OneHot

_NAMED = 3


def feature_columns(table: pd.DataFrame, mapping: Mapping) -> dict[str, str]:
    """Return the columns of numbers that a mapping learns from, by the features' names.

    Where it names none, these are all that nothing else names.

    Raises:
        UsageError: there are none, or one has a name that datasets need for something else.
    """
    if mapping.features is not None:
        return dict(mapping.features)
    taken = {*mapping.named, *mapping.measured, ROW, TABLE}
    names = tuple(str(name) for name in table if name not in taken and holds_numbers(table[name]))
    encoded_names = [name for each in mapping.one_hot for name in each.features]
    if not names and not encoded_names:
        raise UsageError("features: no numeric column is left to train on; list some")
    refuse_collisions([*names, *encoded_names], mapping.metrics, mapping.input_size)
    return {name: name for name in names}


def holds_numbers(column: pd.Series) -> bool:
    """Return whether a column holds numbers and nothing else, missing values aside; dates are not numbers."""
    numbers = parsed(column)
    return bool(numbers.notna().any() and (numbers.notna() | column.isna()).all())


def parsed(column: pd.Series) -> pd.Series:
    """Return a column's numbers, NaN for what is not a number.

    As text: pandas takes dates for nanoseconds, and cannot take lists and dictionaries at all.
    """
    readable = column if is_numeric_dtype(column) else column.astype("str")
    return pd.to_numeric(readable, errors="coerce").astype("float64")


def numbers_of(table: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return columns as floats; what is missing is NaN, and what is infinite is as it stands.

    Raises:
        UsageError: text stands where a number has to; it names the first rows.
    """
    found = {}
    for name in names:
        column = table[name]
        numbers = parsed(column)
        wrong = numbers.isna() & column.notna()
        if wrong.any():
            _refuse_text(table, name, wrong.to_numpy())
        found[name] = numbers.to_numpy()
    return pd.DataFrame(found, index=table.index)


def _refuse_text(table: pd.DataFrame, name: str, wrong: np.ndarray) -> None:
    first = table.loc[wrong].head(_NAMED)
    shown = [f"row {row}: {str(value)[:40]!r}" for row, value in zip(first[ROW], first[name], strict=True)]
    rows = format_list(shown, int(wrong.sum()), "; ")
    path = first[TABLE].iloc[0]
    raise UsageError(
        f"{path}: column {name!r} holds what is not a number ({rows}); correct it, or name the marker under missing"
    )


def encoded(table: pd.DataFrame, one_hot: OneHot) -> pd.DataFrame:
    """Return a column of text as features of 0 and 1; NaN in rows whose text has other places or values.

    Each distinct text is taken apart once: a million rows may share a few.
    """
    codes, texts = pd.factorize(table[one_hot.column], use_na_sentinel=True)
    known = np.array([_places(str(text), one_hot) for text in texts], dtype=float).reshape(-1, len(one_hot.features))
    rows = np.full((len(table), len(one_hot.features)), np.nan)
    rows[codes >= 0] = known[codes[codes >= 0]]
    return pd.DataFrame(rows, index=table.index, columns=list(one_hot.features))


def _places(text: str, one_hot: OneHot) -> list[float]:
    if one_hot.pattern is None:
        found = [text]
    elif len(text) > MAX_LENGTH:
        found = []
    else:
        found = [match[1] if match.re.groups else match[0] for match in one_hot.pattern.finditer(text)]
    if len(found) != one_hot.places or not set(found) <= set(one_hot.values):
        return [np.nan] * len(one_hot.features)
    return [float(value == place) for place in found for value in one_hot.values]
