"""Test results as they are: statistics, levels, and how columns go together without any adjustment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.studies.factors.cells import kind_of, numbers_in
from perfcast.studies.factors.design import ordered_levels
from perfcast.studies.factors.roles import level_text
from perfcast.text import escape_control, format_list

if TYPE_CHECKING:
    from perfcast.studies.factors.results import Results

STATISTICS = ("count", "mean", "std", "min", "25%", "50%", "75%", "max")
_SHOWN_LEVELS = 12


def describe(results: Results) -> pd.DataFrame:
    """Return count, mean, standard deviation, range and quartiles of each column of numbers, a column each.

    Of a table that was too long to be kept, the quartiles are those of the sample, as is all of the factors'.
    """
    roles = results.roles
    names = [*roles.numeric, *(metric.column for metric in roles.metrics)]
    table = results.rows[names].astype(float)
    if roles.id and kind_of(results.rows[roles.id]) == "numbers":
        table.insert(0, roles.id, numbers_in(results.rows[roles.id]))
    found = table.describe()
    for name in results.moments:
        found.loc[["count", "mean", "std", "min", "max"], name] = results.moments[name].to_numpy()
    return found


def levels_of(results: Results) -> list[tuple[str, int, str]]:
    """Return of each factor the number of its levels and these, as texts: a range for numbers."""
    found = []
    for name in results.roles.factors:
        levels = ordered_levels(results.conditions[name])
        texts = [level_text(level) for level in levels]
        is_range = name in results.roles.numeric and len(levels) > 2
        shown = f"{texts[0]} to {texts[-1]}" if is_range else format_list(texts[:_SHOWN_LEVELS], len(texts))
        found.append((name, len(levels), shown))
    return found


def coded_columns(results: Results) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return all that has an order as numbers, and labels with units: metrics, numbers, and factors of two levels.

    The latter are 0 for the first level and 1 for the other, which their label says.
    """
    roles, rows = results.roles, results.rows
    columns, labels = {}, {}
    for name in roles.factors:
        levels = ordered_levels(results.conditions[name])
        if name in roles.numeric:
            columns[name], labels[name] = rows[name].astype(float), roles.label_of(name)
        elif len(levels) == 2:
            columns[name] = (rows[name] == levels[1]).astype(float)
            labels[name] = f"{escape_control(name)} = {level_text(levels[1])}"
    for metric in results.usable():
        columns[metric.column], labels[metric.column] = rows[metric.column], metric.label
    return pd.DataFrame(columns), labels


def suspected_units(results: Results) -> list[str]:
    """Return a sentence for each metric whose values lie in two groups about a thousand apart, as mixed units do."""
    found = []
    for metric in results.roles.measured:
        values = np.sort(np.log10(results.rows[metric.column].dropna().to_numpy(dtype=float)))
        if len(values) < 4:
            continue
        place = int(np.argmax(np.diff(values)))
        middles = float(np.median(values[place + 1 :]) - np.median(values[: place + 1]))
        if np.diff(values)[place] > 1 and 2.5 < middles < 3.5:
            found.append(
                f"{metric.name}: {place + 1:,} of {len(values):,} values are about {10**middles:,.0f} times smaller "
                "than the others, with none between: are units mixed?"
            )
    return found
