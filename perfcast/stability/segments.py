"""The segments of a measurement: visits, and parts of visits at a lasting level of their own."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.levels import lasting_levels
from perfcast.stability.noise import Resolution, noise_of

if TYPE_CHECKING:
    from perfcast.stability.series import Series

MIN_MS = 1e-9
"""What a clock that is too coarse calls 0 has a logarithm all the same."""
MEDIAN_VARIANCE = np.pi / 2
"""Variance of the median of normal samples, in times of that of their mean."""


@dataclass(frozen=True)
class Segments:
    """One entry a segment, in the order they were measured.

    Attributes:
        log_ms: logarithm of the median latency in ms.
        variance: of that logarithm, by the noise of the segment's samples alone.
        log_calibration: logarithm of the calibration workload's time around the visit, in ms; NaN where unknown.
        samples: which samples of the series each has.
    """

    log_ms: np.ndarray
    variance: np.ndarray
    log_calibration: np.ndarray
    samples: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, series: Series, chosen: np.ndarray) -> Segments:
        """Return the segments of the ``chosen`` samples, at least one.

        A visit is one segment unless its samples move to another level and stay there, as when other work starts in it.
        """
        places = [part for visit in series.visits for part in _parts(series.wall_ms, chosen & (series.visit == visit))]
        medians = [max(float(np.median(series.wall_ms[part])), MIN_MS) for part in places]
        return cls(
            log_ms=np.log(medians),
            variance=np.array(
                [_variance(series.wall_ms[part], median) for part, median in zip(places, medians, strict=True)]
            ),
            log_calibration=np.log([series.calibration_ms.get(int(series.visit[part[0]]), np.nan) for part in places]),
            samples=tuple(places),
        )


def _parts(wall_ms: np.ndarray, of_visit: np.ndarray) -> list[np.ndarray]:
    (places,) = np.nonzero(of_visit)
    if not len(places):
        return []
    return [places[start:end] for start, end in pairwise([*lasting_levels(wall_ms[places]).starts, len(places)])]


def _variance(wall_ms: np.ndarray, median: float) -> float:
    """Return the variance of the logarithm of the median of ``wall_ms``."""
    noise = np.log1p(noise_of(wall_ms - median, Resolution.of(wall_ms)) / median)
    return float(MEDIAN_VARIANCE * noise**2 / len(wall_ms))
