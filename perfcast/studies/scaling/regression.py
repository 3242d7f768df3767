"""Least squares with intervals that hold where the scatter is not the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

_FULL = 1e-9
_MAX_LOG = 700.0


@dataclass(frozen=True)
class Fit:
    """A line or plane through observations.

    Attributes:
        coefficients: one per column of the design.
        errors: their standard errors; NaN where nothing is left to estimate them from.
        freedom: degrees of freedom of each error.
        residuals: what it leaves of each observation.
    """

    coefficients: np.ndarray
    errors: np.ndarray
    freedom: np.ndarray
    residuals: np.ndarray

    def interval(self, place: int, confidence: float = 0.95) -> tuple[float, float]:
        """Return the interval of a coefficient."""
        reach = float(stats.t.ppf((1 + confidence) / 2, self.freedom[place]) * self.errors[place])
        return float(self.coefficients[place]) - reach, float(self.coefficients[place]) + reach

    def p_value(self, place: int) -> float:
        """Return the two-sided p-value of a coefficient of 0."""
        if np.isnan(self.errors[place]):
            return np.nan
        if self.errors[place] == 0:
            return 1.0 if self.coefficients[place] == 0 else 0.0
        return float(2 * stats.t.sf(abs(self.coefficients[place]) / self.errors[place], self.freedom[place]))


def robust_fit(design: np.ndarray, response: np.ndarray) -> Fit:
    """Fit by least squares; errors are HC2, degrees of freedom those of Bell and McCaffrey.

    HC2 is unbiased where all variances are equal, and consistent where they are not. With few observations Student's
    quantiles with n - p degrees of freedom are too short for it, and HC3 is too long as often as too short; the
    degrees of freedom of R. Bell and D. McCaffrey (2002), "Bias reduction in standard errors for linear regression
    with multi-stage samples", follow from the design (see also G. Imbens and M. Kolesár, "Robust standard errors in
    small samples", 2016).

    Args:
        design: one row per observation, each independent of the others: of repetitions of one run give the mean.
        response: a value each.

    Raises:
        LinAlgError: a column follows from the others, see `is_full`.
    """
    columns = design.shape[1]
    if not is_full(design):
        raise np.linalg.LinAlgError("the columns of the design depend on each other")
    basis, triangle = np.linalg.qr(design)
    coefficients = np.linalg.solve(triangle, basis.T @ response)
    residuals = response - design @ coefficients
    leverage = (basis**2).sum(axis=1)
    influence = np.linalg.solve(triangle, basis.T)
    left = 1 - leverage
    if (left <= _FULL).any():
        unknown = np.full(columns, np.nan)
        return Fit(coefficients, unknown, unknown, residuals)
    errors = np.sqrt((influence**2 * (residuals**2 / left)).sum(axis=1))
    freedom = np.array([_freedom(weights, basis, leverage) for weights in influence**2 / left])
    return Fit(coefficients, errors, freedom, residuals)


def _freedom(weights: np.ndarray, basis: np.ndarray, leverage: np.ndarray) -> float:
    """Return the degrees of freedom of a weighted sum of squared residuals, as Satterthwaite matches them."""
    across = basis.T @ (weights[:, None] * basis)
    trace = float((weights * (1 - leverage)).sum())
    squares = float((weights**2 * (1 - 2 * leverage)).sum() + (across**2).sum())
    return trace**2 / squares if squares > 0 else np.nan


def bounded_exp(logs: np.ndarray | float) -> np.ndarray:
    """Return the exponential of logarithms; of what is extrapolated beyond any number, a very large one."""
    return np.exp(np.minimum(logs, _MAX_LOG))


def is_full(design: np.ndarray) -> bool:
    """Return whether no column of a design follows from the others."""
    count, columns = design.shape
    if columns > count:
        return False
    sizes = np.abs(np.diag(np.linalg.qr(design, mode="r")))
    return bool(sizes.min() > _FULL * sizes.max())
