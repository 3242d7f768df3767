"""The width of noise, spikes apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TO_SIGMA = 1.4826
"""Standard deviation of normal noise over its median absolute deviation."""
CUT = 2.5
CUT_VARIANCE = 0.911
"""Noise is measured within 2.5 standard deviations: normal noise that is cut there keeps 91.1% of its variance."""
ROUNDS = 8
"""Cutting so often finds the noise under spikes that are a fifth of the samples, five standard deviations away."""
MIN_SHARE = 1e-3
"""No machine repeats itself to within a thousandth."""
TICK_SIGMAS = 0.3
"""A clock's tick makes noise of this share of it, its uniform distribution's standard deviation."""


@dataclass(frozen=True)
class Resolution:
    """The resolution of a series: its clock's tick, 0 where fine, and the smallest noise that it can have."""

    tick: float
    least_noise: float

    @classmethod
    def of(cls, values: np.ndarray) -> Resolution:
        """Return the resolution of ``values``: the tick is the smallest step between their middle four fifths."""
        ordered = np.sort(values)
        middle = ordered[len(ordered) // 10 : len(ordered) - len(ordered) // 10]
        steps = np.diff(middle)
        steps = steps[steps > 0]
        tick = float(steps.min()) if len(steps) else 0.0
        return cls(tick, max(TICK_SIGMAS * tick, MIN_SHARE * abs(float(ordered[len(ordered) // 2]))))


def noise_of(residuals: np.ndarray, resolution: Resolution) -> float:
    """Return the standard deviation of ``residuals``, spikes apart.

    The median absolute deviation says what is a spike; the rest has a variance. The deviation alone would be 0, or a
    tick, where a clock is coarse.
    """
    size = np.abs(residuals)
    cut = max(CUT * TO_SIGMA * float(np.median(size)), 1.5 * resolution.tick)
    inner = size[size <= cut]
    return max(float(np.sqrt(inner @ inner / (len(inner) * CUT_VARIANCE))), resolution.least_noise)


def calm_noise(residuals: np.ndarray, resolution: Resolution) -> tuple[float, float]:
    """Return middle and standard deviation of ``residuals`` where many of them are spikes on one side.

    They move the median and widen the deviations from it: what lies far off is left out, several times over.
    """
    middle, noise = 0.0, noise_of(residuals, resolution)
    for _ in range(ROUNDS):
        left = residuals[np.abs(residuals - middle) <= CUT * noise]
        middle = float(np.median(left))
        before, noise = noise, noise_of(left - middle, resolution)
        if noise == before:
            break
    return middle, noise
