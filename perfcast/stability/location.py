"""A model's typical latency on the undisturbed machine, with its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from perfcast.stability.calm import lowest_level, undisturbed_visits, unhindered
from perfcast.stability.noise import Resolution, noise_of
from perfcast.stability.outliers import proven_outliers
from perfcast.stability.warmup import warm

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.stability.series import Series

CONFIDENCE = 0.95
BATCHES = 8
"""One visit is cut into eight batches, whose medians say how far noise that is correlated in time moves a median."""
VISITS_DIFFER = 0.01
"""One visit cannot show how visits differ; on a calm machine they do by about 1% (standard deviation)."""
BEYOND = 0.05
"""The typical latency is not over 5% below the fastest visit, or above the slowest one."""
LEAST_MS = 1e-9
"""What a clock that is too coarse calls 0 has a logarithm all the same."""


@dataclass(frozen=True)
class Location:
    """A typical latency, and what it was taken from.

    Attributes:
        ms: the latency in ms.
        low_ms, high_ms: its 95% interval.
        calm: the samples it was taken from, as a mask.
        outliers: proven outliers, which were left out, as a mask.
        gain_percent: how much narrower leaving them out made the interval of the visits' medians.
    """

    ms: float
    low_ms: float
    high_ms: float
    calm: np.ndarray
    outliers: np.ndarray
    gain_percent: float


def locate(series: Series, choose: Callable[[Series, np.ndarray], np.ndarray] = undisturbed_visits) -> Location:
    """Return the typical latency of the undisturbed machine: what perfcast reports.

    Of the warm samples of undisturbed visits those at the lowest level are calm. Slow samples with a proven cause are
    left out, then the calm ones found again. The location is the geometric mean of the visits' medians of calm
    samples. Its interval reaches as far as that of all undisturbed visits: that the lowest level is the calm machine's
    is an assumption, which the interval must not depend on. Where no visit was undisturbed, it reaches down to the
    fastest samples: who can say what they would have taken.

    Args:
        series: a measurement with samples that are not declared warm-up.
        choose: which visits count, of the series and its warm samples.
    """
    chosen = choose(series, warm(series)[0])
    first = lowest_level(series, unhindered(series, chosen))
    values = series.wall_ms[first]
    middle = interval(series, first)[0]
    outliers = chosen & proven_outliers(series, middle, noise_of(values - np.median(values), Resolution.of(values)))
    left = chosen & ~outliers if (chosen & ~outliers).any() else chosen
    calm = lowest_level(series, left)
    ms, low, high = interval(series, calm)
    before = _width(interval(series, chosen))
    gain = 100 * (1 - _width(interval(series, left)) / before) if before > 0 and outliers.any() else 0.0
    left_low, left_high = _reach(series, left)
    return Location(ms, min(low, left_low), max(high, left_high), calm, outliers, gain)


def _reach(series: Series, left: np.ndarray) -> tuple[float, float]:
    """Return the interval of the visits that are left, which ends where they do.

    With few visits that differ much Student's t goes far beyond anything that was measured.
    """
    _, low, high = interval(series, left)
    visits = np.unique(series.visit[left])
    if len(visits) > 1:
        medians = [float(np.median(series.wall_ms[left & (series.visit == visit)])) for visit in visits]
        low, high = max(low, min(medians) * (1 - BEYOND)), min(high, max(medians) * (1 + BEYOND))
    if series.disturbed.issuperset(visits.tolist()):
        low = min(low, float(np.quantile(series.wall_ms[left], (1 - CONFIDENCE) / 2)))
    return low, high


def interval(series: Series, chosen: np.ndarray) -> tuple[float, float, float]:
    """Return the location of the ``chosen`` samples, in ms, and the ends of its 95% interval.

    Student's t interval of the mean of the logarithms of the visits' medians. With one visit: of its batches' medians,
    widened by what visits differ.
    """
    visits = np.unique(series.visit[chosen])
    logs = np.array([_log_median(series.wall_ms[chosen & (series.visit == visit)]) for visit in visits])
    middle = float(logs.mean())
    if len(visits) > 1:
        half = _half_width(logs)
    else:
        values = series.wall_ms[chosen]
        batches = np.array_split(values, min(BATCHES, max(2, len(values) // 2), len(values)))
        inside = _half_width(np.array([_log_median(batch) for batch in batches]))
        half = float(np.hypot(inside, stats.norm.ppf((1 + CONFIDENCE) / 2) * VISITS_DIFFER))
    return float(np.exp(middle)), float(np.exp(middle - half)), float(np.exp(middle + half))


def _log_median(wall_ms: np.ndarray) -> float:
    return float(np.log(max(float(np.median(wall_ms)), LEAST_MS)))


def _half_width(logs: np.ndarray) -> float:
    """Return the half width of the interval of a mean; for a single number, a factor of two."""
    count = len(logs)
    if count < 2:
        return float(np.log(2))
    return float(stats.t.ppf((1 + CONFIDENCE) / 2, count - 1) * np.std(logs, ddof=1) / np.sqrt(count))


def _width(located: tuple[float, float, float]) -> float:
    return float(np.log(located[2] / located[1]))
