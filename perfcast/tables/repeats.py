"""Rows with the features of others: one of them stays, with what all of them say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.tables.problems import EXCLUDED, KEPT, MERGED, Problem, at_rows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from perfcast.tables.mapping import Mapping

_DIFFERENT = 1e-9
_REPEATED = Problem("", "repeats an earlier row", EXCLUDED)
_COMPLEMENTS = Problem("", "has the features of an earlier row, and a value that it lacks", MERGED)
_RAN_OUT = Problem("", "ran out of memory, unlike a row with the same features", EXCLUDED)
_OTHER_BEFORE = "contradicts an earlier row with the same features"
_OTHER_AFTER = "is contradicted by a later row with the same features"


def merged(
    table: pd.DataFrame, features: pd.DataFrame, values: pd.DataFrame, mapping: Mapping, out: np.ndarray
) -> tuple[np.ndarray, pd.DataFrame, list[pd.DataFrame]]:
    """Return the rows that stay, the values of all rows, and what was done with rows that have others' features.

    Of such rows the first with a usable value stays. It gets, for each metric, the first usable value of them all.

    Args:
        table: as read.
        features: its rows' numbers, finite.
        values: a column a metric, NaN where there is no usable value.
        mapping: which columns the metrics are.
        out: which rows ran out of memory.
    """
    group = features.groupby(list(features), sort=False).ngroup()
    known = values.notna()
    first = values.groupby(group, sort=False).transform("first")
    earliest = known & (known.astype(int).groupby(group, sort=False).cumsum() == 1)
    contrary = known & ((values / first - 1).abs() > _DIFFERENT)
    doubted = earliest & contrary.groupby(group, sort=False).transform("any")
    says = known.any(axis=1)
    stays = _first_of_each(group, preferred=2 * says + out)
    measured = says.groupby(group, sort=False).transform("any")
    new = ~stays & earliest.any(axis=1)
    lines = [
        at_rows(table, (says & ~stays & ~new & ~contrary.any(axis=1)).to_numpy(), _REPEATED),
        at_rows(table, new.to_numpy(), _COMPLEMENTS),
        at_rows(table, (out & ~stays & ~measured).to_numpy(), _REPEATED),
        at_rows(table, (out & measured).to_numpy(), _RAN_OUT),
    ]
    for name, metric in mapping.metrics.items():
        lines += [
            at_rows(table, doubted[name].to_numpy(), Problem(metric.column, _OTHER_AFTER, KEPT)),
            at_rows(table, contrary[name].to_numpy(), Problem(metric.column, _OTHER_BEFORE, EXCLUDED)),
        ]
    return stays.to_numpy(), first, lines


def _first_of_each(group: pd.Series, preferred: pd.Series) -> pd.Series:
    """Return the first of the most ``preferred`` rows of each group (booleans)."""
    order = (-preferred).sort_values(kind="stable").index
    first = ~group.loc[order].duplicated()
    return first.loc[group.index]
