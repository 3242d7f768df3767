"""Significance where much is tested at once."""

from __future__ import annotations

import numpy as np


def adjusted(p_values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return p-values such that any at or below alpha is wrong with probability alpha at most, over all of them.

    The weighted procedure of Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 6(2). It holds however the tests depend on each other.

    Args:
        p_values: a p-value each.
        weights: positive; their share of the sum is the share of alpha that each begins with.
    """
    order = np.argsort(p_values / weights)
    left = np.cumsum(weights[order][::-1])[::-1]
    stepwise = np.maximum.accumulate(p_values[order] * left / weights[order])
    result = np.empty(len(p_values))
    result[order] = np.minimum(1.0, stepwise)
    return result
