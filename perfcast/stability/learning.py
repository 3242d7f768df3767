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
"""As a share of the log probability. A tenth of it gained 1 unit at most on nine simulated machines, in up to three
times as many evaluations."""


def expected(calibration: Calibration) -> Machine:
    """Return the machine that is expected where nothing but ``calibration`` is known of it."""
    return _machine(np.zeros(len(PRIOR) + calibration.pieces), calibration)


def learn(measured: Sequence[Segments], calibration: Calibration) -> Machine:
    """Return the machine on which models were ``measured``, by maximum a posteriori.

    Args:
        measured: segments of each measurement, one at least.
        calibration: what all visits on the machine show, of other measurements as well.
    """
    rows, precision, scale = Measured.of(measured), _precision(calibration.pieces), _scale(calibration.pieces)

    def badness(standard: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = log_evidence(rows, _machine(standard, calibration))
        pull = precision @ standard
        return 0.5 * float(pull @ standard) - value, pull - scale * gradient

    low = np.concatenate([np.full(len(PRIOR), -MAX_SDS), np.full(calibration.pieces, -SLOPE / SLOPE_SD)])
    best = optimize.minimize(
        badness,
        min(_starts(calibration.pieces), key=lambda standard: badness(standard)[0]),
        jac=True,
        method="L-BFGS-B",
        bounds=np.column_stack([low, np.full(len(low), MAX_SDS)]),
        options={"maxiter": MAX_ITERATIONS, "ftol": TOLERANCE},
    )
    found = _machine(best.x, calibration)
    return replace(found, log_visit_sd_spread=_with_what_is_unknown(found.log_visit_sd_spread, measured))


def _starts(pieces: int) -> list[np.ndarray]:
    machines = [[np.log(sd), PRIOR[1], logit, *PRIOR[3:]] for sd in START_SDS for logit in START_LOGITS]
    return [np.concatenate([(machine - PRIOR) / PRIOR_SD, np.zeros(pieces)]) for machine in machines]


def _machine(standard: np.ndarray, calibration: Calibration) -> Machine:
    """Return the machine whose parameters are so many standard deviations from what is expected."""
    mean = np.concatenate([PRIOR, np.full(calibration.pieces, SLOPE)])
    parameters = (mean + _scale(calibration.pieces) * standard).tolist()
    log_sd, log_spread, logit, slowed_slope, log_slowdown, log_error, *slopes = parameters
    return Machine(log_sd, log_spread, logit, slowed_slope, log_slowdown, log_error, tuple(slopes), calibration)


def _scale(pieces: int) -> np.ndarray:
    return np.concatenate([PRIOR_SD, np.full(pieces, SLOPE_SD)])


def _precision(pieces: int) -> np.ndarray:
    """Return the inverse of the correlation matrix of what is expected."""
    correlation = np.eye(len(PRIOR) + pieces)
    shared = np.full((pieces, pieces), SLOPE_CORRELATION) + (1 - SLOPE_CORRELATION) * np.eye(pieces)
    correlation[len(PRIOR) :, len(PRIOR) :] = shared
    return np.linalg.inv(correlation)


def _with_what_is_unknown(log_spread: float, measured: Sequence[Segments]) -> float:
    """Return how much visits may differ more or less than estimated: where no model has two, as expected before.

    The logarithm of a standard deviation of ``n`` degrees of freedom has a variance of 1 / (2·n).
    """
    freedom = sum(len(segments.log_ms) - 1 for segments in measured)
    return 0.5 * float(np.log(np.exp(2 * log_spread) + 1 / (PRIOR_SD[0] ** -2 + 2 * freedom)))
