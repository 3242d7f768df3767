"""The four patterns of inference times in the source document (its Figures 4 to 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.levels import lasting_levels
from perfcast.stability.noise import Resolution, calm_noise
from perfcast.stability.spikes import spikes, stand_out

if TYPE_CHECKING:
    from perfcast.stability.levels import Levels

PATTERNS = ("white_noise", "sequential", "high_spikes", "low_spikes")
MIN_SAMPLES = 20
"""Fewer samples show no pattern."""
WARMUP = 3
"""The document's warm-up, "the first 2 or 3 iterations", is not a pattern."""
HIGH_SPIKE = 0.3
LOW_SPIKE = 0.15
"""A spike is 30% above the level, or 15% below it, at the least: less is noise, however rare, and moves no mean."""


def classify(wall_ms: np.ndarray) -> str:
    """Return which of `PATTERNS` a series shows; of several, the one that more samples show.

    - `sequential`: the level moves by 2.5% or more and stays, for 9% of the samples (9 to 25 of them) or for good;
    - `high_spikes`, `low_spikes`: samples stand out of the noise on that side, alone or in bursts;
    - `white_noise`: neither.

    Args:
        wall_ms: times of inferences in order, without the warm-up; a slow start of up to 3 samples is ignored. Under
            20 samples, or where the median is 0, are `white_noise`.
    """
    values = _started(np.asarray(wall_ms, float))
    if len(values) < MIN_SAMPLES or np.median(values) <= 0:
        return "white_noise"
    levels = lasting_levels(values)
    middle, noise = calm_noise(values - levels.each, Resolution.of(values))
    sigmas = (values - levels.each - middle) / noise
    relative = noise / float(np.median(levels.each))
    # Noise of latencies is skewed upwards if at all: what is common above the level says what is no low spike below.
    high = spikes(sigmas, max(4.5, HIGH_SPIKE / relative), np.abs(sigmas))
    low = spikes(-sigmas, max(3.0, LOW_SPIKE / relative), sigmas)
    if _away(levels) >= max(1, int(high.sum() + low.sum())):
        return "sequential"
    sizes = {
        "high_spikes": float(sigmas[high].sum()) if stand_out(sigmas, high, np.abs(sigmas)) else 0.0,
        "low_spikes": float(-sigmas[low].sum()) if stand_out(-sigmas, low, sigmas) else 0.0,
    }
    largest = max(sizes, key=lambda name: sizes[name])
    return largest if sizes[largest] > 0 else "white_noise"


def _started(values: np.ndarray) -> np.ndarray:
    """Return ``values`` without a slow start of up to `WARMUP` samples, if it is one: a spike stands further on too."""
    if len(values) < MIN_SAMPLES:
        return values
    bound = (1 + HIGH_SPIKE) * float(np.median(values))
    slow = values > bound
    return values[WARMUP:] if slow[:WARMUP].any() and not slow[WARMUP:].any() else values


def _away(levels: Levels) -> int:
    """Return how many samples are not at the level that holds longest."""
    return len(levels.each) - max(int((levels.each == value).sum()) for value in levels.values)
