"""Impossible numbers of any table: each is excluded and reported by its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from perfcast.features.definitions import FEATURES
from perfcast.tables.numbers import numbers_of
from perfcast.tables.problems import EXCLUDED, Problem, at_rows
from perfcast.tables.ran_out import unknown_value

if TYPE_CHECKING:
    from perfcast.tables.mapping import Mapping

MAX_VALUE = 1e30
_BEYOND, _NEGATIVE = "is out of range", "is negative"
_INCOMPLETE = Problem("", "a feature is missing or infinite", EXCLUDED)
# Counts, sizes and shares: the registry's, and those that only tables from elsewhere have.
_NEVER_NEGATIVE = frozenset((*(feature.name for feature in FEATURES), "input_elements"))


def usable(features: pd.DataFrame) -> np.ndarray:
    """Return the rows all of whose features can be (booleans)."""
    return np.asarray(~(_incomplete(features) | _beyond(features) | _negative(features)).any(axis=1))


def wrong_features(table: pd.DataFrame, features: pd.DataFrame) -> list[pd.DataFrame]:
    """Return what is wrong with the rows that `usable` leaves out; what is missing or infinite once a row."""
    lines = [at_rows(table, np.asarray(_incomplete(features).any(axis=1)), _INCOMPLETE)]
    for what, wrong in ((_BEYOND, _beyond(features)), (_NEGATIVE, _negative(features))):
        lines += [
            at_rows(table, wrong[:, place], Problem(name, what, EXCLUDED))
            for place, name in enumerate(features)
            if wrong[:, place].any()
        ]
    return lines


def checked_values(table: pd.DataFrame, mapping: Mapping, out: np.ndarray) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Return the metrics' values by their names, NaN where they cannot be, and what is wrong with those.

    Args:
        table: as read.
        mapping: what its columns mean.
        out: which rows ran out of memory: what stands there is not what they need.

    Raises:
        UsageError: text stands where a number has to.
    """
    numbers = numbers_of(table, [metric.column for metric in mapping.metrics.values()])
    found, lines = {}, []
    for name, metric in mapping.metrics.items():
        value = numbers[metric.column].to_numpy()
        wrong = {"is missing": np.isnan(value)} | impossible_values(value)
        lines += [at_rows(table, rows & ~out, Problem(metric.column, what, EXCLUDED)) for what, rows in wrong.items()]
        lines.append(at_rows(table, out, unknown_value(metric)))
        found[name] = np.where(np.any([*wrong.values(), out], axis=0), np.nan, value)
    return pd.DataFrame(found, index=table.index), lines


def impossible_values(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return which numbers no metric can have, by the reason; what is missing is none of them."""
    finite = np.isfinite(values)
    return {
        "is infinite": np.isinf(values),
        "is zero": values == 0,
        _NEGATIVE: finite & (values < 0),
        _BEYOND: finite & (values > 0) & ((values > MAX_VALUE) | (values < 1 / MAX_VALUE)),
    }


def _incomplete(features: pd.DataFrame) -> np.ndarray:
    return ~np.isfinite(features.to_numpy(dtype=float))


def _beyond(features: pd.DataFrame) -> np.ndarray:
    return ~_incomplete(features) & (np.abs(features.to_numpy(dtype=float)) > MAX_VALUE)


def _negative(features: pd.DataFrame) -> np.ndarray:
    counts = np.array([name in _NEVER_NEGATIVE for name in features], dtype=bool)
    return ~_incomplete(features) & (features.to_numpy(dtype=float) < 0) & counts
