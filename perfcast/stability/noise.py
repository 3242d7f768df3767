"""The width of noise, spikes apart."""

from __future__ import annotations

import numpy as np

TO_SIGMA = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""
CUT = 2.5
FAR = 2.5
ROUNDS = 8
CUT_VARIANCE = 0.911
"""Variance of standard normal noise that is cut at 2.5."""


def noise_of(residuals: np.ndarray, values: np.ndarray) -> float:
    """Return the standard deviation of ``residuals``, spikes apart.

    The median absolute deviation says what is a spike; the rest has a variance. The deviation alone would be 0, or a
    tick, where a clock is coarse.

    Args:
        residuals: what is left of the values around their level.
        values: the values, whose clock's tick and median give the smallest noise: a thousandth of the median.
    """
    tick = clock_tick(values)
    size = np.abs(residuals)
    cut = max(CUT * TO_SIGMA * float(np.median(size)), 1.5 * tick)
    inner = size[size <= cut]
    spread = float(np.sqrt(np.mean(inner**2) / CUT_VARIANCE))
    return max(spread, 0.3 * tick, 1e-3 * abs(float(np.median(values))))


def calm_noise(residuals: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return middle and standard deviation of ``residuals`` where up to a third of them are spikes on one side.

    So many move the median and widen the deviation from it: what lies far off is left out, several times over.
    """
    left, middle, noise = residuals, 0.0, noise_of(residuals, values)
    for _ in range(ROUNDS):
        left = residuals[np.abs(residuals - middle) <= FAR * noise]
        middle = float(np.median(left))
        noise = noise_of(left - middle, values)
    return middle, noise


def clock_tick(values: np.ndarray) -> float:
    """Return the smallest difference between two values, 0 where all are equal."""
    steps = np.diff(np.unique(values))
    return float(steps.min()) if len(steps) else 0.0
