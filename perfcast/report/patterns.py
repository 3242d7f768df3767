"""The four patterns of inference times in the source document (its Figures 4 to 7), made countable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

SPIKE_FACTOR = 1.5
"""A sample this many times above, or below, the median is a spike: far outside what background noise does."""
SHIFT_SHARE = 0.05
"""A lasting change of level under 5% moves the mean too little to matter."""
SHIFT_NOISE = 2.0
"""A lasting change must stand out of the noise around it by this many standard deviations."""
FEWEST_SAMPLES = 20


@dataclass(frozen=True)
class Pattern:
    """One of the document's patterns.

    Attributes:
        key: its name in the code.
        title: its name in the document.
        figure: where the document shows it.
        rule: how it is recognised here, in words.
    """

    key: str
    title: str
    figure: str
    rule: str


PATTERNS = (
    Pattern("noise", "White noise", "Figure 4", "none of the three below"),
    Pattern(
        "sequential",
        "Sequential variation",
        "Figure 5",
        "the level moves once for good, by over 5 % of the median and twice the noise around it",
    ),
    Pattern("high", "High spikes", "Figure 6", "a sample above 1.5 times the median"),
    Pattern("low", "Low spikes", "Figure 7", "a sample below the median divided by 1.5"),
)


def pattern_scores(samples: Sequence[float] | np.ndarray) -> dict[str, float]:
    """Return each pattern that the series ``samples`` shows, with how clearly (larger is clearer).

    A series may show several; one too short to tell shows none.
    """
    values = np.asarray(samples, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < FEWEST_SAMPLES or (middle := float(np.median(values))) <= 0:
        return {}
    scores = {}
    if (high := float(values.max()) / middle) > SPIKE_FACTOR:
        scores["high"] = high
    if (low := middle / max(float(values.min()), middle * 1e-6)) > SPIKE_FACTOR:
        scores["low"] = low
    if (shift := _level_shift(values, middle)) > 0:
        scores["sequential"] = shift
    return scores or {"noise": 1 / max(high * low, 1.0)}


def _level_shift(values: np.ndarray, middle: float) -> float:
    """Return the clearest lasting change of level in standard deviations, 0 where too small to count."""
    calm = np.clip(values, middle / SPIKE_FACTOR, middle * SPIKE_FACTOR)
    count = len(calm)
    margin = max(3, count // 10)
    before = np.arange(margin, count - margin + 1)
    sums, squares = np.cumsum(calm), np.cumsum(calm**2)
    left = sums[before - 1] / before
    right = (sums[-1] - sums[before - 1]) / (count - before)
    within = (squares[-1] - before * left**2 - (count - before) * right**2) / count
    noise = np.sqrt(np.maximum(within, (middle * 1e-6) ** 2))
    shifts = np.abs(right - left)
    best = int(np.argmax(shifts / noise))
    clear = shifts[best] > SHIFT_SHARE * middle and shifts[best] > SHIFT_NOISE * noise[best]
    return float(shifts[best] / noise[best]) if clear else 0.0
