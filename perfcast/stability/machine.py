"""How a machine disturbs what is measured on it: a distribution, learned from all that was measured in a campaign.

A visit's log median latency is the model's own, plus how far the machine's speed was from usual, plus noise:

    log_ms = location + slowing(calibration) + normal(0, visit_sd² + variance + (slope_error · slowness)²) + slowdown

where `slowness` is the logarithm of the calibration's time over its usual time, `slowing` is piecewise linear in it and
never falls, and `slowdown` is 0, or, in a share of the visits, exponentially distributed: other work makes a model
slower, never faster. That share grows with the slowness, as some models are slowed far more than the calibration,
others less. So on a machine that is mostly calm the location is where undisturbed visits agree; on one that never is,
the middle of what it usually does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

USUAL_QUANTILE = 0.1
"""The calibration is usual at its 10% quantile: the calm level if a tenth of the visits is calm, else stable."""
PIECES = 8
"""Between so many quantiles of the calibration `slowing` is linear: it shows two states, and what noise within each."""


@dataclass(frozen=True)
class Calibration:
    """What the calibration workload took on a machine.

    Attributes:
        log_usual: logarithm of its usual time in ms, NaN where none was recorded.
        log_knots: logarithms of the times in ms between which `slowing` is linear, ascending; none where all are equal.
    """

    log_usual: float
    log_knots: tuple[float, ...]

    @classmethod
    def of(cls, log_ms: np.ndarray) -> Calibration:
        """Return what the logarithms of all its times in ms show; NaN where one was not recorded."""
        known = log_ms[~np.isnan(log_ms)]
        if not len(known):
            return cls(np.nan, ())
        knots = np.unique(np.quantile(known, np.linspace(0, 1, PIECES + 1), method="lower"))
        return cls(float(np.quantile(known, USUAL_QUANTILE, method="lower")), tuple(knots.tolist()))

    @property
    def pieces(self) -> int:
        """Into how many pieces the knots part the range."""
        return max(len(self.log_knots) - 1, 0)

    def slowness(self, log_ms: np.ndarray) -> np.ndarray:
        """Return the logarithms of how much slower than usual calibration was; 0 where it was not recorded."""
        return np.nan_to_num(log_ms - self.log_usual)

    def ramps(self, log_ms: np.ndarray) -> np.ndarray:
        """Return how much of each piece lies below a time less what lies below the usual one: (times, pieces)."""
        knots = np.array(self.log_knots)
        low, width = knots[:-1], np.diff(knots)
        passed, usual = (np.clip(times - low, 0, width) for times in (log_ms[:, None], self.log_usual))
        return np.nan_to_num(passed - usual)


@dataclass(frozen=True)
class Machine:
    """The parameters of the distribution, on unbounded scales; `calibration` apart they are what is fitted.

    Attributes:
        log_visit_sd: logarithm of the standard deviation from visit to visit of the typical model.
        log_visit_sd_spread: logarithm of how much the logarithm of that standard deviation differs between models, and
            of how little is known of it.
        logit_slowed: log odds of a visit being slowed more than calibration shows, at its usual speed.
        slowed_slope: change of these log odds with log calibration.
        log_slowdown: logarithm of the mean of that slowdown, as a logarithm of latency.
        log_slope_error: logarithm of how much the slope differs from visit to visit.
        slopes: change of log latency with log calibration, by piece of the calibration's range.
        calibration: what the calibration workload took.
    """

    log_visit_sd: float
    log_visit_sd_spread: float
    logit_slowed: float
    slowed_slope: float
    log_slowdown: float
    log_slope_error: float
    slopes: tuple[float, ...]
    calibration: Calibration

    def slowing(self, log_calibration: np.ndarray) -> np.ndarray:
        """Return by how much calibrations show the machine to be slower than usual, as logarithms of latency."""
        return self.calibration.ramps(log_calibration) @ np.array(self.slopes)
