"""Candidates for the latency that is reported, side by side, so that they can be compared on repeated campaigns."""

import numpy as np
from scipy import stats


def visit_medians(series):
    """Return the median of each visit's kept samples, by visit."""
    return {visit: float(np.median(times)) for visit, times in series.kept().visit_times().items()}


def calibration_normalised(series):
    """Return the median of the visits' medians, each divided by how much slower than at best the calibration was."""
    best = min(series.calibration_ms.values(), default=1.0)
    medians = visit_medians(series).items()
    return float(np.median([value * best / series.calibration_ms.get(visit, best) for visit, value in medians]))


FIXED = {
    "mean": lambda series: float(series.kept().wall_ms.mean()),
    "median": lambda series: float(np.median(series.kept().wall_ms)),
    "trimmed_mean": lambda series: float(stats.trim_mean(series.kept().wall_ms, 0.1)),
    "minimum": lambda series: float(series.kept().wall_ms.min()),
    "median_of_visits": lambda series: float(np.median(list(visit_medians(series).values()))),
    "lower_quartile_of_visits": lambda series: float(np.percentile(list(visit_medians(series).values()), 25)),
    "calibration_normalised": calibration_normalised,
}
"""Each returns a latency in ms of a series with kept samples. The published protocol takes the mean."""
