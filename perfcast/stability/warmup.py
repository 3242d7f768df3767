"""How many inferences at the start of a visit are warm-up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.noise import noise_of

if TYPE_CHECKING:
    from perfcast.stability.series import Series

FEWEST = 5
SETTLED_SHARE = 0.4
"""The last 40% of a visit are taken as settled: of 50 inferences up to 30 may be warm-up."""
SLOW_SIGMAS = 2.0
MOST_SIGMAS = 3.0
"""What one sample can count for or against warm-up: an outlier among settled samples is none."""
LEAST_EVIDENCE = 0.5
LEAST_NOISE = 0.005
"""A warm-up within half a percent of the level after it is of no interest."""


def warmup_length(wall_ms: np.ndarray) -> int:
    """Return how many samples at the start of a visit are slower than where it settles, 60% of them at most.

    Samples count for warm-up by how far they lie above the settled level, against it where they lie below; warm-up
    ends where the sum is largest (a cumulative sum test, E. S. Page, "Continuous inspection schemes", 1954).

    Args:
        wall_ms: all samples of one visit in order; 0 is returned for fewer than 5.
    """
    values = np.asarray(wall_ms, float)
    if len(values) < FEWEST:
        return 0
    settles = len(values) - max(3, int(SETTLED_SHARE * len(values)))
    level = float(np.median(values[settles:]))
    noise = max(noise_of(values[settles:] - level, values), LEAST_NOISE * level)
    if noise == 0:
        return 0
    evidence = np.clip((values[:settles] - level) / noise - SLOW_SIGMAS, -MOST_SIGMAS, MOST_SIGMAS)
    sums = np.cumsum(evidence)
    best = int(np.argmax(sums))
    return best + 1 if sums[best] > LEAST_EVIDENCE else 0


def warm(series: Series) -> tuple[np.ndarray, int]:
    """Return which samples are neither declared nor found to be warm-up; and the longest warm-up of a calm visit."""
    chosen = ~series.discarded
    lengths = {}
    for visit in series.visits:
        (places,) = np.nonzero(series.visit == visit)
        lengths[visit] = warmup_length(series.wall_ms[places])
        chosen[places[: lengths[visit]]] = False
    calm = [length for visit, length in lengths.items() if visit not in series.disturbed]
    return chosen, max(calm or lengths.values())
