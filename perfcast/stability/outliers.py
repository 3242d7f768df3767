"""Proven outliers: slow samples for which a cause was seen that takes as long as they took too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from perfcast.stability.series import Series

SLOW_SHARE = 0.05
SLOW_SIGMAS = 3.0
"""A sample is slow at 5% and three standard deviations above the location: nearer to it nothing needs explaining."""
EXPLAINED_SHARE = 0.5
"""A cause explains a sample if it took at least half of what the sample took too long. It may take more: counters
move in ticks of 10 ms, and threads that wait at the same time are counted each."""
SWITCHED_OUT_MS = 3.0
"""What an involuntary environment switch costs at the least: Linux lets whoever comes run for 3 ms (its base slice)."""
FAULT_MS = 0.1
"""What a major page fault costs at the least: one read from a fast solid-state disk."""
TYPICAL_QUANTILE = 0.25
"""A model's own threads wait for each other and switch in every inference: what a quarter of the samples stays under
is the model's own."""
HINDERED_SHARE = 0.05
"""A cause that took under 5% of a sample's time makes it no slower than a trusted latency may be off."""
MIN_SAMPLES = 10
"""With fewer samples left, those that waited count as well: there is nothing to choose from."""
_MS_EACH = {
    "run_delay_ns": 1e-6,
    "steal_ns": 1e-6,
    "interrupt_ns": 1e-6,
    "involuntary_switches": SWITCHED_OUT_MS,
    "major_faults": FAULT_MS,
}


def proven_outliers(series: Series, location_ms: float, noise_ms: float) -> np.ndarray:
    """Return which samples are proven outliers, as a mask; none where the platform records no causes.

    Args:
        location_ms: typical latency of the undisturbed machine.
        noise_ms: standard deviation of the noise around it.
    """
    excess = series.wall_ms - location_ms
    slow = excess > max(SLOW_SHARE * location_ms, SLOW_SIGMAS * noise_ms)
    return slow & (explained_ms(series) >= EXPLAINED_SHARE * excess)


def unhindered(series: Series, chosen: np.ndarray) -> np.ndarray:
    """Return which of the ``chosen`` samples no recorded cause can have made much slower; all if too few."""
    free = chosen & (explained_ms(series) <= HINDERED_SHARE * series.wall_ms)
    return free if free.sum() >= MIN_SAMPLES else chosen


def explained_ms(series: Series) -> np.ndarray:
    """Return how much of each sample's time its causes can explain, in ms; zeros without causes.

    The largest cause counts, not the sum: a thread that is switched out also waits, and is counted by both.
    """
    explained = np.zeros(len(series.wall_ms))
    for name, each in _MS_EACH.items():
        if name in series.causes and len(explained):
            cause = series.causes[name]
            explained = np.maximum(explained, (cause - np.quantile(cause, TYPICAL_QUANTILE)) * each)
    return explained
