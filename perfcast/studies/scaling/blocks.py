"""Comparisons within blocks: one factor changes, all others stay. What others do to time cancels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.statistics.regression import Estimate, mean_of
from perfcast.studies.statistics.significance import ratio_of

if TYPE_CHECKING:
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.observations import Observations

MIN_BLOCKS = 3
"""Of fewer, the scatter between blocks is not known."""
MAX_LEVELS = 12
"""Levels up to which a factor is taken as it stands; one with more is divided into ranges."""
_MAX_ENTRIES = 5_000_000
"""Of a table of blocks by levels: of factors that take another value each time, it would be as good as empty."""


@dataclass(frozen=True)
class Blocks:
    """Times by level and block: a block is one combination of the other factors.

    Attributes:
        factor: the one that changes within a block.
        levels: of it, ascending.
        logs: mean natural logarithm of the time (in s), one row per block and column per level; NaN where not measured.
        names: the other factors' values of each block.
    """

    factor: Factor
    levels: np.ndarray
    logs: np.ndarray
    names: tuple[tuple[float, ...], ...]

    @property
    def complete(self) -> np.ndarray:
        """The blocks that were measured at every level."""
        return self.logs[~np.isnan(self.logs).any(axis=1)]

    @property
    def paired(self) -> np.ndarray:
        """The blocks that were measured at two levels or more."""
        return self.logs[(~np.isnan(self.logs)).sum(axis=1) > 1]


def blocks_of(observations: Observations, factor: Factor) -> Blocks:
    """Return the times of a data set by blocks of a factor."""
    others = [other.column for other in observations.factors if other is not factor]
    cells = observations.cells
    if not others:
        ordered = cells.sort_values(factor.column)
        return Blocks(factor, ordered[factor.column].to_numpy(float), ordered["log_time"].to_numpy()[None, :], ((),))
    levels = observations.levels(factor)
    if len(levels) * cells.groupby(others).ngroups > _MAX_ENTRIES:
        return Blocks(factor, levels, np.empty((0, len(levels))), ())
    table = cells.pivot_table(index=others, columns=factor.column, values="log_time", sort=True)
    names = tuple(name if isinstance(name, tuple) else (name,) for name in table.index)
    return Blocks(factor, table.columns.to_numpy(float), table.to_numpy(float), names)


def mean_ratio(differences: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Return the mean of differences of logarithms, one per block, as a ratio, with Student's interval.

    The block is the unit: what one run, or one combination, does to all its times is one observation, so neither
    unequal variances nor what is common to a run make the interval too short. Its p-value is that of a ratio of 1.
    """
    known = differences[~np.isnan(differences)]
    if not len(known):
        return Estimate(np.nan)
    found = mean_of(known, confidence) if len(known) >= MIN_BLOCKS else Estimate(float(known.mean()))
    value, low, high = map(ratio_of, (found.value, found.low, found.high))
    return Estimate(value, low, high, found.p_value, found.freedom)


def level_ratios(blocks: Blocks, alpha: float = 0.05) -> dict[float, Estimate]:
    """Return how long each level takes, relative to the lowest; all intervals hold at once (Bonferroni).

    The p-values are adjusted in the same way.
    """
    count = len(blocks.levels) - 1
    found = {}
    for place in range(1, count + 1):
        ratio = mean_ratio(blocks.logs[:, place] - blocks.logs[:, 0], 1 - alpha / count)
        found[float(blocks.levels[place])] = replace(ratio, p_value=float(np.minimum(1.0, ratio.p_value * count)))
    return found
