"""Lasting levels of a series: where latencies settle, and where they move and stay for a while."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruptures
from scipy.ndimage import median_filter
from scipy.special import ndtr

from perfcast.stability.noise import Resolution, noise_of

LASTING_SHARE = 0.09
MIN_LASTING = 9
ENOUGH_LASTING = 25
"""A level lasts if it holds for 9% of the samples, for 9 at least; 25 are enough however long the series is. What
is shorter, and returns, is a burst of spikes."""
MIN_SHIFT = 0.025
"""A shift of level under 2.5% changes the result less than machines differ from one visit to the next."""
MIN_SIGMAS = 1.2
"""A shift must be wider than the noise around the levels, or the noise hides it."""
CLEAR_SIGMAS = 5.0
"""A shift this wide is one even where noise is correlated in time."""
MIN_EVIDENCE = 8.0
"""How much better (2·log likelihood) levels must explain a series than correlated noise around one level, as a
multiple of their number."""
SPIKE_SIGMAS = 2.0
"""Where levels are sought, spikes are cut to what noise does anyway."""
PENALTY = 4.0
"""What each candidate must gain, in squared standard deviations, as a multiple of the logarithm of the length. Three
are usual for as many parameters; most candidates are given up again."""
MEMORY_SIGMAS = 3.5
"""Where correlation in time is measured, deviations are cut here."""
MAX_SHARE_OFF = 0.15
"""At most this share of a level's samples may lie nearer to its neighbour's level; more make it a burst of spikes."""


@dataclass(frozen=True)
class Levels:
    """A series as steps.

    Attributes:
        starts: where each level begins.
        values: each level's median.
        each: the level at each sample, same shape as the series.
        noise: standard deviation of the noise around the levels, spikes apart; same unit as the series.
    """

    starts: tuple[int, ...]
    values: tuple[float, ...]
    each: np.ndarray
    noise: float


def lasting_levels(values: np.ndarray) -> Levels:
    """Return the levels of ``values``, of which there is more than one only where a shift is clear.

    Candidates of an optimal segmentation are given up one by one: shifts too small, and bursts too short to be levels.
    What is left must explain the series better than one level does with noise that is correlated in time.
    """
    settled, resolution = np.ones(len(values), bool), Resolution.of(values)
    whole = _levels(values, [0], settled, resolution)
    least = int(np.clip(LASTING_SHARE * len(values), MIN_LASTING, ENOUGH_LASTING))
    if len(values) < 2 * least or whole.noise == 0:
        return whole
    starts = _candidates(values, least, resolution)
    while len(starts) > 1:
        found = _levels(values, starts, settled, resolution)
        widths = np.abs(np.diff(found.values))
        weakest = int(np.argmin(widths))
        if widths[weakest] < max(MIN_SIGMAS * found.noise, MIN_SHIFT * min(found.values)):
            del starts[weakest + 1]
        elif (burst := _burst(values, found, settled, least)) is not None:
            start, end = [*starts, len(values)][burst : burst + 2]
            settled[start:end] = False
            _give_to_neighbour(starts, found.values, burst)
        else:
            clear = widths.max() >= CLEAR_SIGMAS * found.noise
            return found if clear or _evidence(values, whole, found) > MIN_EVIDENCE * (1 + len(widths)) else whole
    return whole


def _burst(values: np.ndarray, found: Levels, settled: np.ndarray, least: int) -> int | None:
    """Return the shortest segment that is not a lasting level, None where all are.

    Too few of its samples are nearer to its own level than to its neighbours'.
    """
    lengths = []
    for index, (start, end) in enumerate(pairwise([*found.starts, len(values)])):
        inside = values[start:end][settled[start:end]]
        own = found.values[index]
        others = [found.values[other] for other in (index - 1, index + 1) if 0 <= other < len(found.values)]
        nearest = min(others, key=lambda value: abs(value - own))
        near = _longest_run(np.abs(inside - own) <= np.abs(inside - nearest))
        hidden = float(ndtr(-abs(nearest - own) / 2 / found.noise))
        lasts = near.mean() >= 1 - MAX_SHARE_OFF - hidden and near.sum() >= least * (0.9 - hidden)
        lengths.append(len(values) + 1 if lasts else int(near.sum()))
    shortest = int(np.argmin(lengths))
    return shortest if lengths[shortest] <= len(values) else None


def _longest_run(near: np.ndarray) -> np.ndarray:
    """Return the part of ``near`` that is mostly true: the one with the most true less false ones."""
    sums = np.concatenate([[0], np.cumsum(np.where(near, 1, -1))])
    rises = sums - np.minimum.accumulate(sums)
    end = int(np.argmax(rises))
    return near[int(np.argmin(sums[: end + 1])) : end] if end else near[:1]


def _give_to_neighbour(starts: list[int], levels: tuple[float, ...], index: int) -> None:
    """Take segment ``index`` out of ``starts``: it becomes part of the neighbour with the nearest level."""
    left = abs(levels[index] - levels[index - 1]) if index else np.inf
    right = abs(levels[index] - levels[index + 1]) if index + 1 < len(levels) else np.inf
    if left <= right:
        del starts[index]
    else:
        del starts[index + 1]


def _levels(values: np.ndarray, starts: list[int], settled: np.ndarray, resolution: Resolution) -> Levels:
    medians = [
        float(np.median(values[start:end][settled[start:end]])) for start, end in pairwise([*starts, len(values)])
    ]
    each = np.repeat(medians, np.diff([*starts, len(values)]))
    return Levels(tuple(starts), tuple(medians), each, noise_of((values - each)[settled], resolution))


def _candidates(values: np.ndarray, least: int, resolution: Resolution) -> list[int]:
    """Return where segments start, too many rather than too few.

    The running median over twice ``least`` takes bursts away and leaves lasting steps. What deviates from it is cut, so
    that spikes weigh no more than noise. Optimal segmentation by squared error (R. Killick, P. Fearnhead, I. A. Eckley,
    "Optimal detection of changepoints with a linear computational cost", 2012).
    """
    smooth = median_filter(values, size=2 * least - 1, mode="nearest")
    noise = noise_of(values - smooth, resolution)
    cut = (smooth + np.clip(values - smooth, -SPIKE_SIGMAS * noise, SPIKE_SIGMAS * noise) - np.median(values)) / noise
    search = ruptures.KernelCPD(kernel="linear", min_size=max(5, least // 2)).fit(
        np.clip(cut, -100, 100).reshape(-1, 1)
    )
    return [0, *(int(end) for end in search.predict(pen=PENALTY * np.log(len(values))))][:-1]


def _evidence(values: np.ndarray, whole: Levels, found: Levels) -> float:
    """Return 2·log likelihood ratio of noise around levels over noise around one level, both AR(1)."""
    one, several = (_innovation(values - levels.each, levels.noise) for levels in (whole, found))
    return float(len(values) * np.log(one / several))


def _innovation(residuals: np.ndarray, noise: float) -> float:
    """Return the variance of what an AR(1) process does not foresee, spikes cut."""
    cut = np.clip(residuals, -MEMORY_SIGMAS * noise, MEMORY_SIGMAS * noise)
    variance = float(np.mean(cut**2))
    if variance == 0:
        return 1e-300
    memory = float(np.mean(cut[1:] * cut[:-1])) / variance
    return variance * max(1 - memory**2, 1e-3)
