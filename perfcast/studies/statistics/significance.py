"""Significance: p-values as people read them, p-values where much is tested at once, and ratios of logarithms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from perfcast.pages.formatting import number

if TYPE_CHECKING:
    from collections.abc import Sequence

_MIN_P = 1e-4
_MAX_LOG = 700.0
"""The exponential of more than 709.8 is infinite."""


def adjusted(p_values: Sequence[float] | np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return p-values such that any at or below alpha is wrong with probability alpha at most, over all of them.

    The weighted procedure of Holm (1979), "A simple sequentially rejective multiple test procedure", Scandinavian
    Journal of Statistics 6(2). It holds however the tests depend on each other.

    Args:
        p_values: a p-value each; NaN for what was not tested, which stays NaN and does not count.
        weights: positive; their share of the sum is the share of alpha that each begins with. By default all are alike.
    """
    result = np.array(p_values, float)
    tested = np.flatnonzero(~np.isnan(result))
    shares = np.ones(len(tested)) if weights is None else weights[tested]
    order = np.argsort(result[tested] / shares)
    places, shares = tested[order], shares[order]
    left = np.cumsum(shares[::-1])[::-1]
    result[places] = np.minimum(1.0, np.maximum.accumulate(result[places] * left / shares))
    return result


def p_number(p_value: float) -> str:
    """Return a p-value as a table shows it: `0.012`, `< 0.0001`; a dash where it is unknown."""
    return f"< {_MIN_P}" if p_value < _MIN_P else number(p_value, 2)


def p_text(p_value: float) -> str:
    """Return a p-value as a sentence says it: `p = 0.012`, `p < 0.0001`."""
    if not math.isfinite(p_value):
        return "p unknown"
    return f"p {'' if p_value < _MIN_P else '= '}{p_number(p_value)}"


def bounded_exp(logs: np.ndarray) -> np.ndarray:
    """Return the exponential of logarithms; of what is beyond any number, a very large or small one."""
    return np.exp(np.clip(logs, -_MAX_LOG, _MAX_LOG))


def ratio_of(log: float) -> float:
    """Return the ratio whose logarithm this is; one beyond any number is a very large or small one."""
    return float(bounded_exp(np.asarray(log)))
