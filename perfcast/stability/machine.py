"""How a machine disturbs what is measured on it: a distribution, learned from all that was measured in a campaign.

A visit's log median latency is the model's own, plus how far the machine's speed was from usual, plus noise:

    log_ms = location + slope · slowness + normal(0, visit_sd² + variance + (slope_error · slowness)²) + slowdown

where `slowness` is the logarithm of the calibration's time over its usual time, and `slowdown` is 0, or, in a share
of the visits, exponentially distributed: other work makes a model slower, never faster. That share grows with the
slowness, as some models are slowed far more than the calibration, others less. So on a machine that is mostly calm the
location is where undisturbed visits agree; on one that never is, the middle of what it usually does.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.polynomial.hermite import hermgauss
from scipy import optimize
from scipy.special import log_ndtr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.stability.segments import Segments

USUAL_QUANTILE = 0.1
"""The calibration is usual at its 10% quantile: the calm level if a tenth of the visits is calm, else stable."""
LEARNED_FROM = 60
"""From so many models the parameters are learned: they are six, and a model has 5 visits or more."""
OFFSETS = np.sinh(np.linspace(-3.5, 3.5, 13))
"""Posterior densities are computed at each segment's own value, and up to 16 standard deviations from it: near it
closely, further away sparsely."""
GRID = 64
"""Of more values, which many segments have, so many are enough: they lie closest where segments agree."""
NODES, WEIGHTS = hermgauss(3)
"""Over how much models differ in noise is integrated at three points (Gauss and Hermite's)."""
MAX_EVALUATIONS = 400
HALF_LOG_TWO_PI = 0.5 * np.log(2 * np.pi)


@dataclass(frozen=True)
class Machine:
    """The parameters of the distribution; `log_usual` apart they are what is fitted, on unbounded scales.

    Attributes:
        log_visit_sd: logarithm of the standard deviation from visit to visit of the typical model.
        log_visit_sd_spread: logarithm of how much the logarithm of that standard deviation differs between models, and
            of how little is known of it.
        logit_slowed: log odds of a visit being slowed more than calibration shows, at its usual speed.
        slowed_slope: change of these log odds with log calibration.
        log_slowdown: logarithm of the mean of that slowdown, as a logarithm of latency.
        slope: change of log latency with log calibration.
        log_slope_error: logarithm of how much that differs from visit to visit.
        log_usual: logarithm of the calibration's usual time in ms, NaN where none was recorded.
    """

    log_visit_sd: float
    log_visit_sd_spread: float
    logit_slowed: float
    slowed_slope: float
    log_slowdown: float
    slope: float
    log_slope_error: float
    log_usual: float

    def slowness(self, log_calibration: np.ndarray) -> np.ndarray:
        """Return the logarithms of how much slower than usual calibration was; 0 where it was not recorded."""
        return np.nan_to_num(log_calibration - self.log_usual)


PRIOR = Machine(np.log(0.02), np.log(0.3), -1.5, 5.0, np.log(0.4), 0.5, np.log(0.3), np.nan)
PRIOR_SD = np.array([1.5, 0.7, 1.5, 5.0, 0.7, 0.5, 1.0])
"""What is expected before anything is measured, wide: visits that differ by 0.5 to 9%, a calibration that tells between
nothing and all of a slowdown. A campaign of a few models overrules it."""
MAX_SDS = 4.0
"""Further from what is expected nothing is sought."""
STARTS = [(sd, odds) for sd in (0.005, 0.02, 0.08, 0.2) for odds in (-3.0, 0.0)]


@dataclass(frozen=True)
class Posterior:
    """What is known of a model's location: density and mass on a grid, and whether each segment was slowed.

    Attributes:
        grid: log latencies, ascending.
        mass: probability at each, adds up to 1.
        usual: by segment, the probability that nothing slowed it.
        log_evidence: log probability density of the segments.
    """

    grid: np.ndarray
    mass: np.ndarray
    usual: np.ndarray
    log_evidence: float

    def quantile(self, share: float) -> float:
        """Return the log latency below which ``share`` of the probability lies."""
        return float(np.interp(share, np.cumsum(self.mass) - self.mass / 2, self.grid))


def learn(measured: Sequence[Segments], guess: Machine | None = None) -> Machine:
    """Return the machine on which models were ``measured``, by maximum a posteriori.

    Args:
        measured: segments of each measurement of a campaign, one at least.
        guess: where to start, of a few starts the likeliest where None.
    """
    known = np.concatenate([segments.log_calibration for segments in measured])
    known = known[~np.isnan(known)]
    usual = float(np.quantile(known, USUAL_QUANTILE, method="lower")) if len(known) else np.nan
    chosen, expected = _spread_out(measured), np.array(astuple(PRIOR)[:-1])

    def badness(parameters: np.ndarray) -> float:
        machine = Machine(*[*parameters, usual])
        prior = -0.5 * np.sum(((parameters - expected) / PRIOR_SD) ** 2)
        return -float(prior + sum(posterior(segments, machine).log_evidence for segments in chosen))

    guesses = [guess] if guess else [replace(PRIOR, log_visit_sd=np.log(sd), logit_slowed=odds) for sd, odds in STARTS]
    starts = [np.array(astuple(each)[:-1]) for each in guesses]
    best = optimize.minimize(
        badness,
        min(starts, key=badness),
        method="Nelder-Mead",
        bounds=np.column_stack([expected - MAX_SDS * PRIOR_SD, expected + MAX_SDS * PRIOR_SD]),
        options={"maxfev": MAX_EVALUATIONS, "xatol": 0.02, "fatol": 0.05},
    )
    found = Machine(*[*best.x.tolist(), usual])
    return replace(found, log_visit_sd_spread=_with_what_is_unknown(found.log_visit_sd_spread, measured))


def _with_what_is_unknown(log_spread: float, measured: Sequence[Segments]) -> float:
    """Return how much visits may differ more or less than estimated: where no model has two, as expected before.

    The logarithm of a standard deviation of ``n`` degrees of freedom has a variance of 1 / (2·n).
    """
    freedom = sum(len(segments.log_ms) - 1 for segments in measured)
    return 0.5 * float(np.log(np.exp(2 * log_spread) + 1 / (PRIOR_SD[0] ** -2 + 2 * freedom)))


def _spread_out(measured: Sequence[Segments]) -> list[Segments]:
    """Return at most `LEARNED_FROM` measurements, from the fastest to the slowest model."""
    ordered = sorted(measured, key=lambda segments: float(np.median(segments.log_ms)))
    return [ordered[index] for index in np.unique(np.linspace(0, len(ordered) - 1, LEARNED_FROM).round().astype(int))]


def posterior(segments: Segments, machine: Machine) -> Posterior:
    """Return what ``segments`` say of a model's location on ``machine``: flat prior, integrated over its own noise."""
    slowness = machine.slowness(segments.log_calibration)
    corrected = segments.log_ms - machine.slope * slowness
    fixed = segments.variance + (np.exp(machine.log_slope_error) * slowness) ** 2
    middle = np.sqrt(fixed + np.exp(2 * machine.log_visit_sd))
    grid = np.unique(corrected[:, None] + OFFSETS * middle[:, None])
    grid = grid[np.unique(np.linspace(0, len(grid) - 1, GRID).astype(int))]
    sds = np.exp(machine.log_visit_sd + np.sqrt(2) * np.exp(machine.log_visit_sd_spread) * NODES)
    sd = np.sqrt(fixed[:, None, None] + sds**2)
    logit = (machine.logit_slowed + machine.slowed_slope * slowness)[:, None, None]
    usual, either = _log_densities((corrected[:, None] - grid)[:, :, None], sd, logit, machine)
    joint = either.sum(axis=0) + np.log(WEIGHTS / WEIGHTS.sum()) + np.log(np.gradient(grid))[:, None]
    highest = float(joint.max())
    mass = np.exp(joint - highest)
    log_evidence = highest + float(np.log(mass.sum()))
    mass /= mass.sum()
    return Posterior(grid, mass.sum(axis=1), (np.exp(usual - either) * mass).sum(axis=(1, 2)), log_evidence)


def _log_densities(
    away: np.ndarray, sd: np.ndarray, logit: np.ndarray, machine: Machine
) -> tuple[np.ndarray, np.ndarray]:
    """Return log densities of deviations from the location: of not being slowed as well, and of either.

    ``logit`` holds the log odds of being slowed.

    What is slowed has the distribution of a normal plus an exponential number.
    """
    standard, rate = away / sd, np.exp(-machine.log_slowdown)
    usual = -np.logaddexp(0, logit) - 0.5 * standard**2 - np.log(sd) - HALF_LOG_TWO_PI
    slowed = -np.logaddexp(0, -logit) - machine.log_slowdown
    slowed = slowed - rate * away + 0.5 * (rate * sd) ** 2 + log_ndtr(standard - rate * sd)
    return usual, np.logaddexp(usual, slowed)
