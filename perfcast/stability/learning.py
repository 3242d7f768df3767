"""Learning a machine from what was measured on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize

from perfcast.stability.machine import Calibration, Machine
from perfcast.stability.posterior import Measured, log_evidence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.stability.segments import Segments

PRIOR = np.array([np.log(0.02), np.log(0.3), -1.5, 5.0, np.log(0.4), np.log(0.3)])
PRIOR_SD = np.array([1.5, 0.7, 1.5, 5.0, 0.7, 1.0])
"""What is expected before anything is measured, wide: visits that differ by 0.5 to 9%. A campaign of a few models
overrules it."""
SLOPE, SLOPE_SD = 0.5, 0.5
"""The same of slopes: calibration tells between nothing and all of a slowdown."""
SLOPE_CORRELATION = 0.5
"""Of two pieces: half of what is not known of a slope they share."""
MAX_SDS = 4.0
"""Further from what is expected nothing is sought."""
START_SDS = (0.005, 0.02, 0.08, 0.2)
START_LOGITS = (-3.0, 0.0)
"""From the likeliest of these the maximum is sought: few models can be explained by noise or by slowdowns."""
MAX_ITERATIONS = 40
TOLERANCE = 1e-4
"""As a share of the log probability, some hundreds: further iterations gain less than a tenth of a unit of it."""


def expected(calibration: Calibration) -> Machine:
    """Return the machine that is expected where nothing but ``calibration`` is known of it."""
    return _machine(_mean(calibration), calibration)


def learn(measured: Sequence[Segments], calibration: Calibration) -> Machine:
    """Return the machine on which models were ``measured``, by maximum a posteriori.

    Args:
        measured: segments of each measurement, one at least.
        calibration: what all visits on the machine show, of other measurements as well.
    """
    rows, mean = Measured.of(measured), _mean(calibration)
    pieces = calibration.pieces
    precision = _precision(pieces)

    def badness(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_evidence(rows, _machine(parameters, calibration))
        pull = precision @ (parameters - mean)
        return 0.5 * float(pull @ (parameters - mean)) - value, pull - gradient

    reach = MAX_SDS * np.concatenate([PRIOR_SD, np.full(pieces, SLOPE_SD)])
    low = np.concatenate([(mean - reach)[: len(PRIOR)], np.zeros(pieces)])
    options = {"maxiter": MAX_ITERATIONS, "ftol": TOLERANCE}
    bounds = np.column_stack([low, mean + reach])
    start = min(_starts(mean), key=lambda parameters: badness(parameters)[0])
    best = optimize.minimize(badness, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    found = _machine(best.x, calibration)
    return replace(found, log_visit_sd_spread=_with_what_is_unknown(found.log_visit_sd_spread, measured))


def _mean(calibration: Calibration) -> np.ndarray:
    return np.concatenate([PRIOR, np.full(calibration.pieces, SLOPE)])


def _starts(mean: np.ndarray) -> list[np.ndarray]:
    return [np.concatenate([[np.log(sd), mean[1], logit], mean[3:]]) for sd in START_SDS for logit in START_LOGITS]


def _machine(parameters: np.ndarray, calibration: Calibration) -> Machine:
    log_sd, log_spread, logit, slowed_slope, log_slowdown, log_error, *slopes = parameters.tolist()
    return Machine(log_sd, log_spread, logit, slowed_slope, log_slowdown, log_error, tuple(slopes), calibration)


def _precision(pieces: int) -> np.ndarray:
    """Return the inverse of the prior's covariance matrix."""
    precision = np.diag(np.concatenate([PRIOR_SD**-2, np.zeros(pieces)]))
    shared = np.full((pieces, pieces), SLOPE_CORRELATION) + (1 - SLOPE_CORRELATION) * np.eye(pieces)
    precision[len(PRIOR) :, len(PRIOR) :] = np.linalg.inv(shared) / SLOPE_SD**2
    return precision


def _with_what_is_unknown(log_spread: float, measured: Sequence[Segments]) -> float:
    """Return how much visits may differ more or less than estimated: where no model has two, as expected before.

    The logarithm of a standard deviation of ``n`` degrees of freedom has a variance of 1 / (2·n).
    """
    freedom = sum(len(segments.log_ms) - 1 for segments in measured)
    return 0.5 * float(np.log(np.exp(2 * log_spread) + 1 / (PRIOR_SD[0] ** -2 + 2 * freedom)))
