"""Candidates for the latency that is reported, side by side, so that they can be compared on repeated campaigns."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from perfcast.stability.calm import at_full_speed
from perfcast.stability.location import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from perfcast.stability.series import Series

TRIMMED = 0.1


def mean(series: Series) -> float:
    """Return the mean of all kept samples: the published protocol's."""
    return float(series.kept().wall_ms.mean())


def median(series: Series) -> float:
    """Return the median of all kept samples."""
    return float(np.median(series.kept().wall_ms))


def trimmed_mean(series: Series) -> float:
    """Return the mean without the fastest and the slowest tenth."""
    return float(stats.trim_mean(series.kept().wall_ms, TRIMMED))


def minimum(series: Series) -> float:
    """Return the fastest kept sample."""
    return float(series.kept().wall_ms.min())


def interleaved(series: Series) -> float:
    """Return the median of the visits' medians."""
    return float(np.median(list(_visit_medians(series).values())))


def lower_quartile(series: Series) -> float:
    """Return the lower quartile of the visits' medians."""
    return float(np.percentile(list(_visit_medians(series).values()), 25))


def calm_visits(series: Series) -> float:
    """Return the median of the medians of the visits that the runner found calm, of all where it found none."""
    medians = _visit_medians(series)
    calm = [value for visit, value in medians.items() if visit not in series.disturbed]
    return float(np.median(calm or list(medians.values())))


def calibration_normalised(series: Series) -> float:
    """Return the median of the visits' medians, each divided by how much slower than at best the calibration was."""
    medians = _visit_medians(series)
    best = min(series.calibration_ms.values(), default=1.0)
    return float(np.median([value * best / series.calibration_ms.get(visit, best) for visit, value in medians.items()]))


def undisturbed(series: Series) -> float:
    """Return what perfcast reports: see `perfcast.stability.location.locate`."""
    return locate(series).ms


def undisturbed_by_calibration(series: Series) -> float:
    """Return the same, of those visits around which the calibration was hardly slower than at best."""
    return locate(series, at_full_speed).ms


def _visit_medians(series: Series) -> dict[int, float]:
    return {visit: float(np.median(times)) for visit, times in series.kept().visit_times().items()}


ESTIMATORS: Mapping[str, Callable[[Series], float]] = MappingProxyType(
    {
        "mean": mean,
        "median": median,
        "trimmed_mean": trimmed_mean,
        "minimum": minimum,
        "interleaved": interleaved,
        "lower_quartile": lower_quartile,
        "calm_visits": calm_visits,
        "calibration_normalised": calibration_normalised,
        "undisturbed": undisturbed,
        "undisturbed_by_calibration": undisturbed_by_calibration,
    }
)
"""Each returns a latency in ms of a series with kept samples. `undisturbed` is the one that is reported."""
