"""What one factor does to time, level by level, without what the other factors do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.studies.scaling.blocks import MAX_LEVELS, Blocks, blocks_of

if TYPE_CHECKING:
    from perfcast.studies.scaling.columns import Factor
    from perfcast.studies.scaling.observations import Observations
    from perfcast.studies.statistics.changepoints import Replicates

_RANGES = 10
_MIN_COMPARED = 0.5
"""Share of the combinations that are in complete blocks; with less, too much would be left out."""


@dataclass(frozen=True)
class Profile:
    """Times over the levels of one factor.

    Attributes:
        factor: the one.
        levels: ascending; where there are many, the geometric mean of each of ten ranges.
        logs: natural logarithms of the times at each level, in s.
        replicates: what the times of one level have in common.
        basis: what each of them is, in words.
    """

    factor: Factor
    levels: tuple[float, ...]
    logs: tuple[tuple[float, ...], ...]
    replicates: Replicates
    basis: str


def profile_of(observations: Observations, factor: Factor) -> Profile:
    """Return what a factor does to time.

    Where most combinations of the others were measured at every level, these are compared with themselves; otherwise
    what a power law of the others explains is taken off.
    """
    if len(observations.levels(factor)) <= MAX_LEVELS:
        blocks = blocks_of(observations, factor)
        compared = blocks.complete.size / len(observations.cells)
        if len(blocks.complete) > 1 and compared >= _MIN_COMPARED:
            return _of_blocks(blocks)
        if len(observations.factors) == 1:
            logs = tuple((float(value),) for value in blocks.logs[0])
            return Profile(factor, _floats(blocks.levels), logs, "shared", "one mean time per level")
    return _of_residuals(observations, factor)


def _of_blocks(blocks: Blocks) -> Profile:
    complete = blocks.complete
    left_out = len(blocks.logs) - len(complete)
    basis = f"{len(complete)} combinations of the other factors, each at every level"
    if left_out:
        basis += f"; {left_out} that lack a level are left out"
    return Profile(blocks.factor, _floats(blocks.levels), tuple(map(_floats, complete.T)), "paired", basis)


def _of_residuals(observations: Observations, factor: Factor) -> Profile:
    cells = observations.cells
    logs = cells["log_time"].to_numpy(float)
    scaled = observations.scaled
    others = [other for other in scaled if other is not factor]
    if others:
        # With the factor itself in the law, the others are not credited with what varies along with it.
        known = [*others, *([factor] if factor in scaled else [])]
        values = cells[[other.column for other in known]].to_numpy(float)
        logs = logs - _explained_by_others(np.log(values), logs, len(others))
    places, levels = level_ranges(cells[factor.column].to_numpy(float))
    groups = tuple(_floats(logs[places == place]) for place in range(len(levels)))
    basis = "single combinations, without what a power law of the other factors explains"
    return Profile(factor, levels, groups, "independent", basis)


def _explained_by_others(values: np.ndarray, logs: np.ndarray, count: int) -> np.ndarray:
    """Return what the first ``count`` columns explain in a law of all of them."""
    centred = values - values.mean(axis=0)
    fitted = np.linalg.lstsq(centred, logs - logs.mean(), rcond=None)[0]
    return centred[:, :count] @ fitted[:count]


def level_ranges(values: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """Return the level, or the range of levels, of each value, and what to call these."""
    levels, places = np.unique(values, return_inverse=True)
    if len(levels) <= MAX_LEVELS:
        return places, _floats(levels)
    bounds = np.unique(np.quantile(values, np.linspace(0, 1, _RANGES + 1)[1:-1]))
    _, places = np.unique(np.searchsorted(bounds, values, side="right"), return_inverse=True)
    middles = [_middle(values[places == place]) for place in range(int(places.max()) + 1)]
    return places, tuple(middles)


def _middle(values: np.ndarray) -> float:
    return float(np.exp(np.log(values).mean())) if (values > 0).all() else float(values.mean())


def _floats(values: np.ndarray) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
