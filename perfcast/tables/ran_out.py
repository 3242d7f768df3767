"""Rows that ran out of memory: how much they needed is known from below only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.tables.factors import booleans_of
from perfcast.tables.problems import BOUND, EXCLUDED, Problem
from perfcast.tables.units import is_memory

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.tables.mapping import ImportedMetric, Mapping


def ran_out(table: pd.DataFrame, mapping: Mapping) -> np.ndarray:
    """Return which rows ran out of memory (booleans), none where the mapping does not say what marks them.

    Raises:
        UsageError: a boolean is expected, and there is other text.
    """
    if mapping.oom is None:
        return np.zeros(len(table), dtype=bool)
    if mapping.oom.values:
        return table[mapping.oom.column].astype("str").isin(mapping.oom.values).to_numpy()
    return booleans_of(table, mapping.oom.column, "what marks rows that ran out of memory").eq(True).to_numpy()


def unknown_value(metric: ImportedMetric) -> Problem:
    """Return what is said of a metric's value in rows that ran out of memory."""
    return Problem(metric.column, "is unknown: it ran out of memory", BOUND if is_memory(metric.unit) else EXCLUDED)
