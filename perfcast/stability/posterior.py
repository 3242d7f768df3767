"""What is known of a model's location on a machine, and how likely what was measured is on one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.hermite import hermgauss
from scipy.special import expit, log_ndtr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.stability.machine import Machine
    from perfcast.stability.segments import Segments

OFFSETS = np.sinh(np.linspace(-3.5, 3.5, 13))
"""Posterior densities are computed at each segment's own value, and up to 16 standard deviations from it: near it
closely, further away sparsely."""
GRID = 64
"""Of more values, which many segments have, so many are enough: they lie closest where segments agree."""
NODES, WEIGHTS = hermgauss(3)
"""Over how much models differ in noise is integrated at three points (Gauss and Hermite's)."""
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Posterior:
    """What is known of a model's location: density and mass on a grid, and whether each segment was slowed.

    Attributes:
        grid: log latencies, ascending.
        mass: probability at each, adds up to 1.
        usual: by segment, the probability that nothing slowed it.
    """

    grid: np.ndarray
    mass: np.ndarray
    usual: np.ndarray

    def quantile(self, share: float) -> float:
        """Return the log latency below which ``share`` of the probability lies."""
        return float(np.interp(share, np.cumsum(self.mass) - self.mass / 2, self.grid))


@dataclass(frozen=True)
class Measured:
    """The segments of several measurements in one row, so that all are computed at once.

    Attributes:
        log_ms, variance, log_calibration: as in `Segments`.
        starts: which segment is the first of each measurement.
        model: which measurement each segment is of.
    """

    log_ms: np.ndarray
    variance: np.ndarray
    log_calibration: np.ndarray
    starts: np.ndarray
    model: np.ndarray

    @classmethod
    def of(cls, measured: Sequence[Segments]) -> Measured:
        """Return ``measured`` in one row."""
        lengths = [len(segments.log_ms) for segments in measured]
        return cls(
            log_ms=np.concatenate([segments.log_ms for segments in measured]),
            variance=np.concatenate([segments.variance for segments in measured]),
            log_calibration=np.concatenate([segments.log_calibration for segments in measured]),
            starts=np.cumsum([0, *lengths[:-1]]),
            model=np.repeat(np.arange(len(lengths)), lengths),
        )


@dataclass(frozen=True)
class _Densities:
    """Log densities of segments at values of their model's location, for several levels of noise.

    Attributes:
        grids: by model, log latencies, ascending.
        mass: by model, grid value and level of noise, the posterior probability; adds up to 1 for each model.
        log_evidence: by model, log probability density of its segments.
        away, sd, logit, mills: by segment, grid value and level of noise: deviation from the location, standard
            deviation, log odds of being slowed, and inverse Mills ratio of the slowed density.
        is_slowed: in the same way, the probability of being slowed.
    """

    grids: np.ndarray
    mass: np.ndarray
    log_evidence: np.ndarray
    away: np.ndarray
    sd: np.ndarray
    logit: np.ndarray
    mills: np.ndarray
    is_slowed: np.ndarray

    @classmethod
    def of(cls, measured: Measured, machine: Machine) -> _Densities:
        slowness = machine.calibration.slowness(measured.log_calibration)
        corrected = measured.log_ms - machine.slowing(measured.log_calibration)
        fixed = measured.variance + (np.exp(machine.log_slope_error) * slowness) ** 2
        grids = _grids(corrected, np.sqrt(fixed + np.exp(2 * machine.log_visit_sd)), measured.starts)
        away = (corrected[:, None] - grids[measured.model])[:, :, None]
        sd = np.sqrt(fixed[:, None, None] + node_sds(machine) ** 2)
        logit = (machine.logit_slowed + machine.slowed_slope * slowness)[:, None, None]
        either, is_slowed, mills = _log_densities(away, sd, logit, np.exp(-machine.log_slowdown))
        joint = np.add.reduceat(either, measured.starts) + np.log(WEIGHTS / WEIGHTS.sum())
        highest = joint.max(axis=(1, 2), keepdims=True)
        mass = np.exp(joint - highest) * np.gradient(grids, axis=1)[:, :, None]
        total = mass.sum(axis=(1, 2), keepdims=True)
        log_evidence = (highest + np.log(total))[:, 0, 0]
        return cls(grids, mass / total, log_evidence, away, sd, logit, mills, is_slowed)


def posterior(segments: Segments, machine: Machine) -> Posterior:
    """Return what ``segments`` say of a model's location on ``machine``: flat prior, integrated over its own noise."""
    found = _Densities.of(Measured.of([segments]), machine)
    usual = ((1 - found.is_slowed) * found.mass).sum(axis=(1, 2))
    return Posterior(found.grids[0], found.mass[0].sum(axis=1), usual)


def log_evidence(measured: Measured, machine: Machine) -> tuple[float, np.ndarray]:
    """Return the log probability density of all that was measured, and its gradient.

    The gradient is by the machine's parameters in the order of their attributes: the expectation of the densities' own
    gradients over the posterior (R. A. Fisher's identity).
    """
    found = _Densities.of(measured, machine)
    mass, away, sd, rate = found.mass[measured.model], found.away, found.sd, np.exp(-machine.log_slowdown)
    slowed = mass * found.is_slowed
    usual = mass - slowed
    standard = away / sd
    by_away = ((slowed * found.mills - usual * standard) / sd - slowed * rate).sum(axis=(1, 2))
    by_sd = usual * (standard**2 - 1) / sd + slowed * (rate**2 * sd - found.mills * (standard / sd + rate))
    by_variance = by_sd.sum(axis=1) / sd[:, 0]
    by_logit = slowed.sum(axis=(1, 2)) - expit(found.logit[:, 0, 0])
    by_log_slowdown = (slowed * (rate * (away - rate * sd**2 + found.mills * sd) - 1)).sum()
    slowness = machine.calibration.slowness(measured.log_calibration)
    spread = np.sqrt(2) * np.exp(machine.log_visit_sd_spread) * NODES
    by_log_sd = by_variance * node_sds(machine) ** 2
    by_log_slope_error = by_variance.sum(axis=1) @ (np.exp(machine.log_slope_error) * slowness) ** 2
    by_slopes = -by_away @ machine.calibration.ramps(measured.log_calibration)
    gradient = [by_log_sd.sum(), (by_log_sd * spread).sum(), by_logit.sum(), by_logit @ slowness, by_log_slowdown]
    return float(found.log_evidence.sum()), np.array([*gradient, by_log_slope_error, *by_slopes])


def node_sds(machine: Machine) -> np.ndarray:
    """Return the standard deviations from visit to visit over which is integrated."""
    return np.exp(machine.log_visit_sd + np.sqrt(2) * np.exp(machine.log_visit_sd_spread) * NODES)


def _grids(corrected: np.ndarray, middle: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return values at which to compute the densities of each model's location, ascending: (models, GRID)."""
    values = corrected[:, None] + OFFSETS * middle[:, None]
    ordered = [np.sort(of_model, axis=None) for of_model in np.split(values, starts[1:])]
    return np.array([of_model[np.linspace(0, len(of_model) - 1, GRID).astype(int)] for of_model in ordered])


def _log_densities(
    away: np.ndarray, sd: np.ndarray, logit: np.ndarray, rate: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log densities of deviations from the location, the probability of being slowed, and inverse Mills ratios.

    What is slowed has the distribution of a normal plus an exponential number of this ``rate``.
    """
    standard = away / sd
    usual = -np.logaddexp(0, logit) - 0.5 * standard**2 - np.log(sd) - HALF_LOG_TWO_PI
    shifted = standard - rate * sd
    log_below = log_ndtr(shifted)
    slowed = -np.logaddexp(0, -logit) + np.log(rate) - rate * away + 0.5 * (rate * sd) ** 2 + log_below
    either = np.logaddexp(usual, slowed)
    return either, np.exp(slowed - either), np.exp(-0.5 * shifted**2 - HALF_LOG_TWO_PI - log_below)
