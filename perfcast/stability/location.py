"""A model's typical latency on a machine in its usual state, with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from perfcast.stability.learning import expected, learn
from perfcast.stability.machine import Calibration
from perfcast.stability.noise import Resolution, noise_of
from perfcast.stability.outliers import proven_outliers, unhindered
from perfcast.stability.posterior import posterior
from perfcast.stability.segments import Segments
from perfcast.stability.warmup import warm

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.stability.machine import Machine
    from perfcast.stability.posterior import Posterior
    from perfcast.stability.series import Series

LEARNED_FROM = 60
"""From so many models a machine is learned: it has fourteen parameters, and a model has 5 visits or more."""
CONFIDENCE = 0.95
RUN_SD = 0.02
"""From one quarter of an hour to the next a machine is as a whole faster or slower by some per cent, all models alike,
which one run cannot show. Standard deviation of the logarithm over five campaigns on a virtual machine that did nothing
else: 1.8%, see `benchmarks/repeatability.py`."""


@dataclass(frozen=True)
class Location:
    """A typical latency, and what it was taken from.

    Attributes:
        ms: the latency in ms.
        low_ms, high_ms: its 95% interval, the clock's resolution and the difference between runs included.
        usual: the samples of segments that were probably not slowed, as a mask.
        slowed: the samples of segments that probably were, for no cause that was seen, as a mask.
        outliers: proven outliers, which were left out, as a mask.
        gain_percent: how much narrower leaving them out made the interval.
        expected_ms: what each sample should have taken, as its visit's calibration shows the machine's speed.
        tick_ms: in what steps the device's clock advances, as far as it shows.
    """

    ms: float
    low_ms: float
    high_ms: float
    usual: np.ndarray
    slowed: np.ndarray
    outliers: np.ndarray
    gain_percent: float
    expected_ms: np.ndarray
    tick_ms: float


def learn_machine(measured: Sequence[Series]) -> Machine:
    """Return how the machine disturbs on which all of ``measured`` was measured: one measurement or more.

    It is learned from all samples but the proven outliers of the machine that is expected.
    """
    calibration = Calibration.of(np.concatenate([np.log(_calibrations(series, series.visits)) for series in measured]))
    first, kept = expected(calibration), []
    for series in _spread_out(measured):
        chosen, _ = warm(series)
        outliers = _outliers(series, chosen, Segments.of(series, unhindered(series, chosen)), first)
        kept.append(Segments.of(series, chosen & ~outliers))
    return learn(kept, calibration)


def _spread_out(measured: Sequence[Series]) -> list[Series]:
    """Return at most `LEARNED_FROM` measurements, from the fastest to the slowest model."""
    ordered = sorted(measured, key=lambda series: float(np.median(series.wall_ms)))
    return [ordered[index] for index in np.unique(np.linspace(0, len(ordered) - 1, LEARNED_FROM).round().astype(int))]


def _calibrations(series: Series, visits: Sequence[int]) -> list[float]:
    """Return the calibration workload's times in ms around ``visits``, NaN where unknown."""
    return [series.calibration_ms.get(visit, np.nan) for visit in visits]


def locate(series: Series, chosen: np.ndarray, machine: Machine) -> Location:
    """Return the typical latency on ``machine`` in its usual state: what perfcast reports.

    Warm samples that are slow for a cause that was seen are left out. The location is the median of what the segments
    that are left say of it, see `perfcast.stability.machine`.

    Args:
        series: the measurement.
        chosen: its samples that are warm, as a mask; one at least.
        machine: learned from this measurement and, where there are any, from others of the same machine.
    """
    outliers = _outliers(series, chosen, Segments.of(series, unhindered(series, chosen)), machine)
    segments = Segments.of(series, chosen & ~outliers)
    found = posterior(segments, machine)
    ms, low_ms, high_ms = _interval(found)
    tick_ms = max(series.clock_tick_ms, Resolution.of(series.wall_ms[chosen]).tick)
    usual, slowed = np.zeros_like(chosen), np.zeros_like(chosen)
    for samples, share in zip(segments.samples, found.usual, strict=True):
        (usual if share >= 0.5 else slowed)[samples] = True
    gain = 0.0
    if outliers.any():
        with_them = _interval(posterior(Segments.of(series, chosen), machine))
        gain = 100 * (1 - np.log(high_ms / low_ms) / np.log(with_them[2] / with_them[1]))
    low_ms, high_ms = _any_run(ms, low_ms, high_ms)
    low_ms, high_ms = max(0.0, low_ms - tick_ms), high_ms + tick_ms
    return Location(
        ms, low_ms, high_ms, usual, slowed, outliers, float(gain), _expected_ms(series, ms, machine), tick_ms
    )


def _expected_ms(series: Series, ms: float, machine: Machine) -> np.ndarray:
    visits, places = np.unique(series.visit, return_inverse=True)
    slowing = machine.slowing(np.log(_calibrations(series, visits.tolist())))
    return ms * np.exp(slowing[places])


def _outliers(series: Series, chosen: np.ndarray, free: Segments, machine: Machine) -> np.ndarray:
    """Return the proven outliers of the ``chosen`` samples, as a mask; none where that would be all.

    ``free`` are the segments of those that no recorded cause can have slowed down.
    """
    middle_ms = float(np.exp(posterior(free, machine).quantile(0.5)))
    values = series.wall_ms[np.sort(np.concatenate(free.samples))]
    noise_ms = noise_of(values - np.median(values), Resolution.of(values))
    found = chosen & proven_outliers(series, middle_ms, noise_ms)
    return found if (chosen & ~found).any() else np.zeros_like(chosen)


def _any_run(ms: float, low_ms: float, high_ms: float) -> tuple[float, float]:
    """Return the ends of an interval of one run, widened to what other runs would show."""
    other = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * RUN_SD
    down, up = (math.hypot(math.log(high / low), other) for low, high in ((low_ms, ms), (ms, high_ms)))
    return ms * math.exp(-down), ms * math.exp(up)


def _interval(found: Posterior) -> tuple[float, float, float]:
    """Return the location in ms, and the ends of its 95% interval."""
    shares = 0.5, (1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2
    ms, low_ms, high_ms = (float(np.exp(found.quantile(share))) for share in shares)
    return ms, low_ms, high_ms
