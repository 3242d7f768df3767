"""Whether a machine drifted along a campaign: a tested trend of what was timed or read at every visit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

MIN_VISITS = 10
"""Under 10 points no trend is tested: with so few, even a clear one can be chance."""
MIN_SPAN_S = 60
"""A change within a minute is not a drift over a campaign."""
_BLOCKS = 20
_LAGS = 5
SURE = 0.01
SMALL_PERCENT = 1.0
"""A drift under 1% over a whole campaign is within what measurements differ by anyway."""


@dataclass(frozen=True)
class Trend:
    """A trend over a campaign.

    Attributes:
        change: by how much the value changes from the first visit to the last, in the value's unit.
        percent: the same in % of the value's median.
        p_value: how likely a change as clear is where there is none.
    """

    change: float
    percent: float
    p_value: float

    @property
    def is_sure(self) -> bool:
        """Whether the trend is more than chance."""
        return self.p_value < SURE

    @property
    def is_drift(self) -> bool:
        """Whether the trend is more than chance and large enough to matter."""
        return self.is_sure and abs(self.percent) >= SMALL_PERCENT


def trend(seconds: np.ndarray, values: np.ndarray) -> Trend | None:
    """Return the trend of ``values`` over the moments ``seconds``; None where there are too few.

    The values are condensed to the medians of at most 20 stretches of equal count, so that single visits and other
    work on the machine, which comes and goes, do not pass for a drift. Their order is tested by Mann and Kendall's
    test with the variance that Hamed and Rao give for values that depend on the ones before; the size is the slope
    of Theil and Sen.

    Args:
        seconds: when, in any order.
        values: what was seen then; NaN where nothing was.

    Source: K. Hamed, A. Rao, "A modified Mann-Kendall trend test for autocorrelated data", Journal of Hydrology
    204 (1998).
    """
    known = np.isfinite(values)
    order = np.argsort(seconds[known], kind="stable")
    moments, seen = seconds[known][order], values[known][order]
    if len(seen) < MIN_VISITS or moments[-1] - moments[0] < MIN_SPAN_S:
        return None
    count = min(len(seen), _BLOCKS)
    at = np.array([part.mean() for part in np.array_split(moments, count)])
    levels = np.array([np.median(part) for part in np.array_split(seen, count)])
    earlier, later = np.triu_indices(count, k=1)
    apart = at[later] > at[earlier]  # Visits that started in the same second have no order.
    slope = float(np.median((levels[later] - levels[earlier])[apart] / (at[later] - at[earlier])[apart]))
    change, middle = slope * float(moments[-1] - moments[0]), float(np.median(seen))
    percent = 100 * change / middle if middle else np.nan
    return Trend(change, percent, _mann_kendall_p(levels, levels - slope * at))


def _mann_kendall_p(levels: np.ndarray, detrended: np.ndarray) -> float:
    count = len(levels)
    differences = levels[None, :] - levels[:, None]
    score = float(np.sign(differences[np.triu_indices(count, k=1)]).sum())
    ties = np.unique(levels, return_counts=True)[1]
    variance = (_ties_term(np.array([count])) - _ties_term(ties)) / 18
    if variance <= 0:
        return 1.0
    variance *= _inflation(stats.rankdata(detrended))
    return float(2 * stats.norm.sf(max(abs(score) - 1, 0) / np.sqrt(variance)))


def _ties_term(counts: np.ndarray) -> float:
    return float((counts * (counts - 1.0) * (2.0 * counts + 5)).sum())


def _inflation(ranks: np.ndarray) -> float:
    """Return by how much the score's variance grows as values depend on the ones before; never below 1."""
    count = len(ranks)
    centred = ranks - ranks.mean()
    power = float((centred**2).sum())
    if power == 0:
        return 1.0
    lags = np.arange(1, min(_LAGS, count // 3) + 1)
    correlation = np.array([(centred[lag:] * centred[:-lag]).sum() / power for lag in lags])
    correlation[np.abs(correlation) < 1.96 / np.sqrt(count)] = 0
    left = (count - lags) * (count - lags - 1.0) * (count - lags - 2.0)
    return max(1.0, 1 + 2 / (count * (count - 1.0) * (count - 2.0)) * float((left * correlation).sum()))
