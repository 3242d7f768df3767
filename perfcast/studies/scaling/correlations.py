"""Correlations of times and factors, as the document shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    import pandas as pd

    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.observations import Observations

Method = Literal["pearson", "spearman"]
METHODS: tuple[Method, ...] = ("pearson", "spearman")

_RESAMPLES = 4000
_SEED = 0


@dataclass(frozen=True)
class Difference:
    """By how much more one factor correlates with time than another, as absolute values.

    Attributes:
        first, second: the correlations.
        low, high: 95% interval of |first| - |second|, by bootstrap over combinations.
        p_value: of no difference, by the same bootstrap; at least 2 / (resamples + 1). NaN where all times are equal.
    """

    first: float
    second: float
    low: float
    high: float
    p_value: float

    @property
    def value(self) -> float:
        """The difference."""
        return abs(self.first) - abs(self.second)


def correlations(observations: Observations, method: Method) -> pd.DataFrame:
    """Return the correlation matrix of a data set's factors and times, under the names of its table.

    Each row of the table counts once.
    """
    named = {"total": observations.total, "time": observations.time}
    columns = [factor.column for factor in observations.factors]
    times = [name for name in ("total", "time") if name == "time" or observations.total]
    found = observations.rows[[*columns, *times]].astype(float).corr(method=method)
    return found.rename(index=named, columns=named)


def compare_correlations(observations: Observations, first: Factor, second: Factor) -> Difference:
    """Return by how much more strongly time correlates (Pearson) with one factor than with another.

    Whole combinations are drawn: rows of one share its run.
    """
    cells = observations.cells
    values = cells[[first.column, second.column, "time"]].to_numpy(float)
    r_first, r_second = _with_time(values[None])
    random = np.random.default_rng(_SEED)
    drawn = values[random.integers(0, len(values), (_RESAMPLES, len(values)))] if len(values) <= 500 else None
    if drawn is None:
        return _large_sample(values, float(r_first[0]), float(r_second[0]))
    a, b = _with_time(drawn)
    differences = np.abs(a) - np.abs(b)
    differences = differences[~np.isnan(differences)]
    if not len(differences):
        return Difference(float(r_first[0]), float(r_second[0]), np.nan, np.nan, np.nan)
    low, high = np.percentile(differences, [2.5, 97.5])
    beyond = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    p_value = min(1.0, 2 * (beyond + 1) / (len(differences) + 1))
    return Difference(float(r_first[0]), float(r_second[0]), float(low), float(high), p_value)


def _with_time(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the correlations of two columns with the third, of each sample."""
    deviations = samples - samples.mean(axis=1, keepdims=True)
    squares = (deviations**2).sum(axis=1)
    products = (deviations[:, :, :2] * deviations[:, :, 2:]).sum(axis=1)
    scale = np.sqrt(squares[:, :2] * squares[:, 2:])
    found = np.where(scale > 0, products / np.where(scale > 0, scale, 1), np.nan)
    return found[:, 0], found[:, 1]


def _large_sample(values: np.ndarray, first: float, second: float) -> Difference:
    """Return the difference with a normal interval from its influence values: of many combinations."""
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    influence = [
        np.sign(r) * (standard[:, place] * standard[:, 2] - r * (standard[:, place] ** 2 + standard[:, 2] ** 2) / 2)
        for place, r in enumerate((first, second))
    ]
    error = float((influence[0] - influence[1]).std(ddof=1) / np.sqrt(len(values)))
    difference = abs(first) - abs(second)
    reach = float(stats.norm.ppf(0.975)) * error
    p_value = float(2 * stats.norm.sf(abs(difference) / error)) if error else 1.0
    return Difference(first, second, difference - reach, difference + reach, p_value)
