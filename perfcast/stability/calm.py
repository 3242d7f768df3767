"""The calm part of a measurement: the samples that were taken while nothing else had the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.outliers import explained_ms

if TYPE_CHECKING:
    from perfcast.stability.series import Series

PIECE = 5
"""Samples are judged in pieces of five, by their median: two spikes in a piece, high or low, do no harm."""
SUPPORT = 0.3
"""A level counts if three tenths of the pieces lie at it: more than one visit of five. Rarer fast ones are low spikes:
legitimate, but not typical."""
LEAST_WIDTH = 0.05
WIDTH_SIGMAS = 2.5
"""Pieces within 5%, or 2.5 standard deviations of theirs, of a level's middle belong to it: visits to a calm machine
differ less, and other work slows down by more."""
QUARTER_STEP = 0.3186 * np.sqrt(2)
"""A quarter of the steps from one normal number to the next are under so many standard deviations. The smallest
quarter, since disturbances may come and go with half of the pieces."""
WHOLE = 0.75
"""A visit of which three quarters lie at the level is calm as a whole: to leave its slowest samples out would bias."""
FEWEST = 10
"""With fewer samples a visit's own state does not count: there is nothing to choose from."""
HINDERED_SHARE = 0.05
REFERENCE_SLOWER = 1.08


def undisturbed_visits(series: Series, chosen: np.ndarray) -> np.ndarray:
    """Return which of the ``chosen`` samples are of visits that the runner did not find disturbed; all if too few."""
    calm = chosen & ~np.isin(series.visit, list(series.disturbed))
    return calm if calm.sum() >= FEWEST else chosen


def unhindered(series: Series, chosen: np.ndarray) -> np.ndarray:
    """Return which of the ``chosen`` samples no recorded cause can have made much slower; all if too few."""
    free = chosen & (explained_ms(series) <= HINDERED_SHARE * series.wall_ms)
    return free if free.sum() >= FEWEST else chosen


def at_full_speed(series: Series, chosen: np.ndarray) -> np.ndarray:
    """Return which of the ``chosen`` samples are of visits around which the calibration was hardly slower than at best.

    All where that leaves fewer than two visits: one may be calm around and disturbed inside.
    """
    if not series.calibration_ms:
        return chosen
    best = min(series.calibration_ms.values())
    slow = [visit for visit, calibration in series.calibration_ms.items() if calibration > REFERENCE_SLOWER * best]
    fast = chosen & ~np.isin(series.visit, slow)
    return fast if len(np.unique(series.visit[fast])) > 1 else chosen


def lowest_level(series: Series, chosen: np.ndarray) -> np.ndarray:
    """Return which of the ``chosen`` samples are at the lowest level that three tenths of them support, as a mask.

    Other work slows a model down, for a while, and never speeds it up: of several levels the lowest is the calm
    machine's.
    """
    pieces = _pieces(series.visit, chosen)
    medians = np.array([np.median(series.wall_ms[piece]) for piece in pieces])
    visits = np.array([series.visit[piece[0]] for piece in pieces])
    calm = _at_lowest(np.log(np.maximum(medians, 1e-9)), visits)
    for visit in np.unique(visits):
        if calm[visits == visit].mean() >= WHOLE:
            calm[visits == visit] = True
    return np.isin(np.arange(len(series.wall_ms)), np.concatenate([pieces[index] for index in np.flatnonzero(calm)]))


def _pieces(visit: np.ndarray, chosen: np.ndarray) -> list[np.ndarray]:
    """Return the places of the ``chosen`` samples in pieces of five or a few more, none across visits."""
    found = []
    for number in np.unique(visit[chosen]):
        (places,) = np.nonzero(chosen & (visit == number))
        found.extend(np.array_split(places, max(1, len(places) // PIECE)))
    return found


def _at_lowest(logs: np.ndarray, visits: np.ndarray) -> np.ndarray:
    steps = np.diff(logs)[np.diff(visits) == 0]
    noise = float(np.quantile(np.abs(steps), 0.25)) / QUARTER_STEP if len(steps) else 0.0
    width = max(LEAST_WIDTH, WIDTH_SIGMAS * noise)
    order = np.sort(logs)
    counts = np.searchsorted(order, order + width, "right") - np.searchsorted(order, order - width, "left")
    most_near = np.array([counts[np.abs(order - middle) <= width].max() for middle in order])
    peaks = order[(counts == most_near) & (counts >= SUPPORT * len(order))]
    start = peaks[0] if len(peaks) else np.percentile(order, 50, method="lower")
    near = np.abs(logs - start) <= width
    for _ in range(3):
        closer = np.abs(logs - np.median(logs[near])) <= width
        if not closer.any():  # Few pieces, at either end of the width.
            break
        near = closer
    return near
