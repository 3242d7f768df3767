"""How many inferences at the start of a visit are warm-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.noise import Resolution, noise_of

if TYPE_CHECKING:
    from perfcast.stability.series import Series

MIN_SAMPLES = 5
SETTLED_SHARE = 0.4
"""The last 40% of a visit are taken as settled: of 50 inferences up to 30 may be warm-up."""
MAX_WARMUP = 30
"""What is slow for longer at the start is a level, not warm-up: the source document's ends after 2 or 3 iterations."""
SLOW_SIGMAS = 2.0
MAX_SIGMAS = 3.0
"""What one sample can count for or against warm-up: an outlier among settled samples is none."""
OVER = 10.0
"""Warm-up is over for good after some five settled samples, each of which counts 2 against it."""
MIN_EVIDENCE = 0.5
MIN_NOISE = 0.005
"""A warm-up within half a percent of the level after it is of no interest."""


def warmup_length(wall_ms: np.ndarray, relative_noise: float | None = None) -> int:
    """Return how many samples at the start of a visit are slower than where it settles, 60% of them at most.

    Samples count for warm-up by how far they lie above the settled level, against it where they lie below; warm-up
    ends where the sum is largest (a cumulative sum test, E. S. Page, "Continuous inspection schemes", 1954).

    Args:
        wall_ms: all samples of one visit in order; 0 is returned for fewer than 5.
        relative_noise: standard deviation of settled samples, as a share of their level, where it is known better than
            from this visit alone.
    """
    values = np.asarray(wall_ms, float)
    if len(values) < MIN_SAMPLES:
        return 0
    level, own_noise = _settled(values)
    noise = max(own_noise if relative_noise is None else relative_noise * level, MIN_NOISE * level)
    if noise == 0:
        return 0
    early = values[: len(values) - _settled_count(values)]
    sums = np.cumsum(np.clip((early - level) / noise - SLOW_SIGMAS, -MAX_SIGMAS, MAX_SIGMAS))
    highest = np.maximum.accumulate(np.maximum(sums, 0))
    (over,) = np.nonzero(highest - sums > OVER)
    best = int(np.argmax(sums[: over[0]] if len(over) else sums))
    return best + 1 if sums[best] > MIN_EVIDENCE and best < MAX_WARMUP else 0


def warm(series: Series) -> tuple[np.ndarray, int]:
    """Return which samples are neither declared nor found to be warm-up; and the longest warm-up of a calm visit."""
    chosen = ~series.discarded
    places = {visit: np.flatnonzero(series.visit == visit) for visit in series.visits}
    settled = [_settled(series.wall_ms[where]) for where in places.values()]
    noises = [noise / level for level, noise in settled if level > 0]
    usual = float(np.median(noises)) if noises else None
    lengths = {visit: warmup_length(series.wall_ms[where], usual) for visit, where in places.items()}
    for visit, where in places.items():
        chosen[where[: lengths[visit]]] = False
    calm = [length for visit, length in lengths.items() if visit not in series.disturbed]
    return chosen, max(calm or lengths.values())


def _settled_count(values: np.ndarray) -> int:
    return min(len(values), max(3, int(SETTLED_SHARE * len(values))))


def _settled(values: np.ndarray) -> tuple[float, float]:
    """Return the level at which a visit settles, and the noise around it."""
    settled = values[-_settled_count(values) :]
    level = float(np.median(settled))
    return level, noise_of(settled - level, Resolution.of(values))
