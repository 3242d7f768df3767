"""Whether times scatter more at some levels of a factor than at others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from perfcast.studies.scaling.blocks import blocks_of
from perfcast.studies.scaling.profiles import level_ranges
from perfcast.studies.statistics.regression import coefficient, fit

if TYPE_CHECKING:
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.observations import Observations

Scale = Literal["absolute", "relative", "unexplained"]

MEANINGS: dict[Scale, str] = {
    "absolute": "of times around the median of their level, in units of time: what box plots show",
    "relative": "of the logarithms of times around the median of their level, so in % of it",
    "unexplained": "of the logarithms of repetitions around the mean of their combination; where nothing was "
    "repeated, of what effects of levels and blocks leave",
}
_MIN_VALUES = 3
"""Of each level."""
_MIN_REPETITIONS = 2.0


@dataclass(frozen=True)
class Spread:
    """How the scatter of times depends on a factor.

    Attributes:
        factor: the one.
        scale: what scatters, see `MEANINGS`.
        differs_p: p-value of equal scatter at all levels, by Brown and Forsythe (Levene's test around medians).
        trend_p: p-value of no trend: absolute distances from the medians over the logarithm of the level, robust.
        grows: whether that trend is upwards.
        ratio: standard deviation at the highest level over that at the lowest.
        deviations: the standard deviation at each level.
        levels: the levels.
    """

    factor: Factor
    scale: Scale
    differs_p: float
    trend_p: float
    grows: bool
    ratio: float
    deviations: tuple[float, ...]
    levels: tuple[float, ...]


def spreads_of(observations: Observations) -> tuple[Spread, ...]:
    """Return how the scatter of times depends on each factor, on each scale that the data has."""
    return tuple(each for factor in observations.factors for each in _over(observations, factor) if each is not None)


def _over(observations: Observations, factor: Factor) -> list[Spread | None]:
    rows = observations.rows
    values, times = rows[factor.column].to_numpy(float), rows["time"].to_numpy(float)
    return [
        _spread(factor, "absolute", values, times),
        _spread(factor, "relative", values, np.log(times)),
        _spread(factor, "unexplained", *_unexplained(observations, factor)),
    ]


def _unexplained(observations: Observations, factor: Factor) -> tuple[np.ndarray, np.ndarray]:
    """Return the level of each residual, and the residuals."""
    columns = [each.column for each in observations.factors]
    rows = observations.rows
    grouped = np.log(rows["time"].astype(float)).groupby([rows[column] for column in columns])
    counts = grouped.transform("size").to_numpy(float)
    if len(rows) >= _MIN_REPETITIONS * grouped.ngroups:
        # A mean of two values is half as far from each as their true one.
        several = counts > 1
        residuals = np.log(rows["time"].to_numpy(float)) - grouped.transform("mean").to_numpy(float)
        factors = np.sqrt(counts / np.maximum(counts - 1, 1))
        return rows[factor.column].to_numpy(float)[several], (residuals * factors)[several]
    blocks = blocks_of(observations, factor)
    complete = blocks.complete
    if len(complete) < 2:
        return np.array([]), np.array([])
    residuals = complete - complete.mean(axis=1, keepdims=True) - complete.mean(axis=0) + complete.mean()
    return np.tile(blocks.levels, len(complete)), residuals.ravel()


def _spread(factor: Factor, scale: Scale, values: np.ndarray, scattered: np.ndarray) -> Spread | None:
    """Return the scatter by level; None where two levels do not have values enough."""
    if not len(values):
        return None
    places, levels = level_ranges(values)
    groups = [scattered[places == place] for place in range(len(levels))]
    used = [place for place, group in enumerate(groups) if len(group) >= _MIN_VALUES and np.ptp(group) > 0]
    if len(used) < 2:
        return None
    kept = [groups[place] for place in used]
    differs_p = float(stats.levene(*kept, center="median").pvalue)
    slope, trend_p = _trend([levels[place] for place in used], kept)
    deviations = tuple(float(group.std(ddof=1)) for group in kept)
    named = tuple(float(levels[place]) for place in used)
    ratio = deviations[-1] / deviations[0]
    return Spread(factor, scale, differs_p, trend_p, slope > 0, ratio, deviations, named)


def _trend(levels: list[float], groups: list[np.ndarray]) -> tuple[float, float]:
    """Return the slope of absolute distances from the medians over the levels, and its p-value."""
    heights = np.log(levels) if min(levels) > 0 else np.asarray(levels)
    distances = np.concatenate([np.abs(group - np.median(group)) for group in groups])
    places = np.concatenate([np.full(len(group), height) for group, height in zip(groups, heights, strict=True)])
    slope = coefficient(fit(np.column_stack([np.ones(len(places)), places - places.mean()]), distances), 1)
    return slope.value, slope.p_value
