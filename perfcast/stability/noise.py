"""The width of noise, spikes apart."""

from __future__ import annotations

import numpy as np

TO_SIGMA = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""
CUT = 2.5
CUT_VARIANCE = 0.911
"""Noise is measured within 2.5 standard deviations: normal noise that is cut there keeps 91.1% of its variance."""
ROUNDS = 8
"""Cutting so often finds the noise under spikes that are a fifth of the samples, five standard deviations away."""
LEAST_SHARE = 1e-3
"""No machine repeats itself to within a thousandth."""


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
    return max(spread, 0.3 * tick, LEAST_SHARE * abs(float(np.median(values))))


def calm_noise(residuals: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return middle and standard deviation of ``residuals`` where many of them are spikes on one side.

    They move the median and widen the deviations from it: what lies far off is left out, several times over.
    """
    middle, noise = 0.0, noise_of(residuals, values)
    for _ in range(ROUNDS):
        left = residuals[np.abs(residuals - middle) <= CUT * noise]
        middle = float(np.median(left))
        noise = noise_of(left - middle, values)
    return middle, noise


def clock_tick(values: np.ndarray) -> float:
    """Return the smallest difference between two of the middle four fifths of the values, 0 where they are equal."""
    low, high = np.quantile(values, [0.1, 0.9])
    steps = np.diff(np.unique(values[(values >= low) & (values <= high)]))
    return float(steps.min()) if len(steps) else 0.0
