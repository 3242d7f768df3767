"""Pareto fronts: what nothing beats in several measures at once."""

from __future__ import annotations

import numpy as np


def unbeaten(values: np.ndarray) -> np.ndarray:
    """Return which points are on the Pareto front: no other point is less in one measure and no more in the others.

    Args:
        values: points × measures, finite; less is better. Of equal points all are on the front, or none.

    Returns:
        one boolean per point.
    """
    found = np.zeros(len(values), dtype=bool)
    front, count = np.empty(values.shape), 0
    # In this order a point comes after all that beat it (Kung, Luccio and Preparata, 1975).
    for place in np.lexsort(values.T[::-1]):
        point, known = values[place], front[:count]
        beaten = (known <= point).all(axis=1) & (known < point).any(axis=1)
        if not beaten.any():
            found[place] = True
            front[count] = point
            count += 1
    return found
