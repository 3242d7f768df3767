"""Intervals around forecasts, from the errors made on families that were not learned from."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class HalfWidth(NamedTuple):
    """Half the width of an interval in natural logarithms.

    Attributes:
        log: forecast / exp(log) to forecast · exp(log) is the interval.
        guaranteed: False where there were too few errors for the share asked for, and the largest was taken.
    """

    log: float
    guaranteed: bool


def half_width(residuals: np.ndarray, share: float) -> HalfWidth:
    """Return the half width that contains ``share`` of new rows, if they err as ``residuals`` do.

    It is the ⌈(n + 1)·share⌉-th smallest of the n absolute residuals: split conformal prediction (Lei et al.,
    "Distribution-free predictive inference for regression", 2018) in logarithms.
    """
    errors = np.sort(np.abs(residuals))
    rank = int(np.ceil((len(errors) + 1) * share))
    return HalfWidth(float(errors[min(rank, len(errors)) - 1]), rank <= len(errors))


def half_widths_without_family(residuals: np.ndarray, families: np.ndarray, share: float) -> np.ndarray:
    """Return for each row the half width (in logarithms) from the ``residuals`` of all other ``families``."""
    widths = np.empty(len(residuals))
    for family in set(families):
        own = families == family
        widths[own] = half_width(residuals[~own], share).log
    return widths
