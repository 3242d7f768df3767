"""How far two measurements of the same models differ."""

from __future__ import annotations

import numpy as np


def repeatability(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Return median and 95th percentile of 100·|a − b| / mean(a, b), in percent.

    Args:
        a, b: positive values of equal shape, one pair an entry; pairs with a NaN do not count.

    Raises:
        ValueError: no pair is left.
    """
    a, b = np.asarray(a, float).ravel(), np.asarray(b, float).ravel()
    percent = 200 * np.abs(a - b) / (a + b)
    percent = percent[np.isfinite(percent)]
    if not len(percent):
        raise ValueError("repeatability needs at least one pair of positive numbers")
    return float(np.median(percent)), float(np.percentile(percent, 95))
