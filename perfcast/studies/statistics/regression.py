"""Least squares with intervals that hold where the scatter is not the same everywhere, and within clusters of rows.

Standard errors are HC2, for clusters CR2, which are unbiased where all variances are equal and consistent where they
are not. With few rows Student's quantiles with n - p degrees of freedom are too short for them, and the jackknife (HC3)
is too long as often as too short. The degrees of freedom here follow from the design: R. Bell, D. McCaffrey, "Bias
reduction in standard errors for linear regression with multi-stage samples", 2002 (see also G. Imbens, M. Kolesár,
"Robust standard errors in small samples", 2016).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-9
_FREE = 0.02
"""Share of a row's own scatter that a fit must leave of it before the row can be called off the others."""


@dataclass(frozen=True)
class Fit:
    """Fitted coefficients, and what their errors follow from.

    Attributes:
        coefficients: one per column.
        residuals: one per row.
        total: sum of squares of the values about their mean.
        basis: orthonormal columns that span the design's.
        inverse: turns coordinates in ``basis`` into coefficients.
        groups: the cluster of each row, numbered from 0.
        adjusted: ``basis``, divided by the share of its scatter that the fit leaves of each cluster.
        alone: the part of ``basis`` that is a cluster's alone: it fits exactly, and says nothing of the errors.
        known: the variance of each value and its degrees of freedom, for a fit that leaves nothing; None where unknown.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    total: float
    basis: np.ndarray
    inverse: np.ndarray
    groups: np.ndarray
    adjusted: np.ndarray
    alone: np.ndarray
    known: tuple[np.ndarray, int] | None = None

    @property
    def left(self) -> int:
        """Rows less columns."""
        return len(self.residuals) - len(self.coefficients)

    @property
    def variance(self) -> float:
        """Of the residuals; NaN where none is left."""
        return float(self.residuals @ self.residuals) / self.left if self.left else np.nan

    @property
    def explained(self) -> float:
        """Share of the variance that the model explains."""
        return 1 - float(self.residuals @ self.residuals) / self.total if self.total > 0 else np.nan


@dataclass(frozen=True)
class Estimate:
    """A number with its interval, and the p-value of its being 0; NaN where they are unknown.

    Attributes:
        value: the number.
        low, high: its interval, of 95% unless another one was asked for.
        p_value: of its being 0.
        freedom: degrees of freedom of the interval and the test.
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    p_value: float = np.nan
    freedom: float = np.nan


def fit(
    design: np.ndarray,
    values: np.ndarray,
    groups: np.ndarray | None = None,
    known: tuple[np.ndarray, int] | None = None,
) -> Fit:
    """Return the least squares fit.

    Args:
        design: one row per value, no column of which follows from the others: see `rank`.
        values: each independent of the others, as far as they are not of one cluster.
        groups: the cluster of each row, numbered from 0; None where each is its own.
        known: the variance of each value and its degrees of freedom, used where the fit leaves nothing.
    """
    basis, triangle = np.linalg.qr(design)
    inverse = np.linalg.inv(triangle)
    coefficients = inverse @ (basis.T @ values)
    total = float(((values - values.mean()) ** 2).sum())
    if groups is None:
        groups, (adjusted, alone) = np.arange(len(values)), _adjusted_rows(basis)
    else:
        adjusted, alone = np.empty_like(basis), np.empty_like(basis)
        for group in range(int(groups.max()) + 1):
            rows = groups == group
            adjusted[rows], alone[rows] = _adjusted_cluster(basis[rows])
    return Fit(coefficients, values - design @ coefficients, total, basis, inverse, groups, adjusted, alone, known)


def _adjusted_rows(basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    free = 1 - (basis**2).sum(axis=1, keepdims=True)
    is_free = free > _TINY
    return np.where(is_free, basis / np.sqrt(np.where(is_free, free, 1)), 0), np.where(is_free, 0, basis)


def _adjusted_cluster(part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (I - QQ')^(-1/2) Q = Q (I - Q'Q)^(-1/2) of a cluster's part Q of the basis, and what is its alone."""
    sizes, axes = np.linalg.eigh(part.T @ part)
    is_free = sizes < 1 - _TINY
    scales = np.where(is_free, 1 / np.sqrt(np.where(is_free, 1 - sizes, 1)), 0)
    return part @ (axes * scales) @ axes.T, part @ (axes * ~is_free) @ axes.T


def estimate(found: Fit, contrast: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Return a combination of the coefficients with its interval."""
    value = float(contrast @ found.coefficients)
    value = value if abs(value) > _TINY else 0.0
    weights = found.inverse.T @ contrast
    if found.left:
        variance, freedom = _variance(found, weights)
    elif found.known is not None:
        variance, freedom = float((found.basis @ weights) ** 2 @ found.known[0]), float(found.known[1])
    else:
        return Estimate(value)
    return student(value, float(np.sqrt(max(variance, 0.0))), freedom, confidence)


def coefficient(found: Fit, place: int) -> Estimate:
    """Return one of the coefficients with its interval."""
    return estimate(found, np.eye(len(found.coefficients))[place])


def _variance(found: Fit, weights: np.ndarray) -> tuple[float, float]:
    """Return the variance of a combination of the basis' coordinates, and its degrees of freedom (Satterthwaite's).

    What is a cluster's alone is taken to scatter as all that the fit leaves.
    """
    influence = found.adjusted @ weights
    scores = _summed(influence * found.residuals, found.groups)
    sizes = _summed(influence**2, found.groups)
    across = _summed(found.basis * influence[:, None], found.groups)
    lost = (across**2).sum(axis=1)
    trace = float((sizes - lost).sum())
    squares = float((sizes * (sizes - 2 * lost)).sum() + ((across.T @ across) ** 2).sum())
    own = float(scores @ scores)
    freedom = trace**2 / squares if squares > 0 else np.nan
    pooled = float(((found.alone @ weights) ** 2).sum()) * found.variance
    if not pooled > 0:
        return own, freedom
    whole = own**2 / freedom if own > 0 else 0.0
    return own + pooled, (own + pooled) ** 2 / (whole + pooled**2 / found.left)


def _summed(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    sums = np.zeros((int(groups.max()) + 1, *values.shape[1:]))
    np.add.at(sums, groups, values)
    return sums


def student(value: float, error: float, freedom: float, confidence: float = 0.95) -> Estimate:
    """Return a number with Student's interval, from its standard error and the degrees of freedom of that."""
    if np.isnan(freedom) or freedom <= 0:
        return Estimate(value)
    if error <= _TINY:
        return Estimate(value, value, value, 1.0 if abs(value) <= _TINY else 0.0, freedom)
    reach = float(stats.t.ppf((1 + confidence) / 2, freedom)) * error
    p_value = float(2 * stats.t.sf(abs(value) / error, freedom))
    return Estimate(value, value - reach, value + reach, p_value, freedom)


def mean_of(values: np.ndarray, confidence: float = 0.95) -> Estimate:
    """Return the mean of independent values; without an interval for fewer than two."""
    count = len(values)
    error = float(values.std(ddof=1) / np.sqrt(count)) if count > 1 else np.nan
    return student(float(values.mean()), error, count - 1, confidence)


def joint_p_value(found: Fit, places: Sequence[int]) -> float:
    """Return the p-value of several coefficients' all being 0; NaN where it is unknown.

    Wald's test, with the fewest degrees of freedom that one of them has.
    """
    freedom = min(coefficient(found, place).freedom for place in places)
    if np.isnan(freedom):
        return np.nan
    part = found.coefficients[list(places)]
    inverse = np.linalg.pinv(_covariance(found)[np.ix_(places, places)], rcond=1e-8, hermitian=True)
    return float(stats.f.sf(float(part @ inverse @ part) / len(places), len(places), freedom))


def _covariance(found: Fit) -> np.ndarray:
    if not found.left and found.known is not None:
        meat = (found.basis.T * found.known[0]) @ found.basis
    else:
        scores = _summed(found.adjusted * found.residuals[:, None], found.groups)
        meat = scores.T @ scores + found.variance * found.alone.T @ found.alone
    return found.inverse @ meat @ found.inverse.T


def rank(matrix: np.ndarray) -> int:
    """Return the rank of a matrix whose columns may be of any scale."""
    if not matrix.size:
        return 0
    lengths = np.linalg.norm(matrix, axis=0)
    scaled = matrix / np.where(lengths > 0, lengths, 1)
    return int((np.linalg.svd(np.linalg.qr(scaled, mode="r"), compute_uv=False) > _TINY).sum())


def is_exact(residuals: np.ndarray, values: np.ndarray) -> bool:
    """Return whether what a model leaves is no more than rounding."""
    return float(residuals @ residuals) <= _TINY**2 * max(float(((values - values.mean()) ** 2).sum()), _TINY)


def gain(basis: np.ndarray, residuals: np.ndarray, columns: np.ndarray) -> tuple[float, int]:
    """Return by how much more columns reduce the sum of squares of a model with this basis, and their rank."""
    lengths = np.linalg.norm(columns, axis=0)
    scaled = columns / np.where(lengths > 0, lengths, 1)
    rest = scaled - basis @ (basis.T @ scaled)
    u, sizes, _ = np.linalg.svd(rest, full_matrices=False)
    kept = u[:, sizes > 1e-6]
    return float(((kept.T @ residuals) ** 2).sum()), kept.shape[1]


def studentised(matrix: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the p-value of its being as far as it is from what the other rows say, and how far it is.

    A row that alone determines a coefficient cannot be off: its p-value is 1. Both are empty where nothing is left.
    """
    size, columns = matrix.shape
    if size - columns < 2:
        return np.array([]), np.array([])
    q = np.linalg.qr(matrix)[0]
    residuals = values - q @ (q.T @ values)
    if is_exact(residuals, values):
        return np.ones(size), np.zeros(size)
    free = np.maximum(1 - (q**2).sum(axis=1), 0)
    known = free > _FREE
    safe = np.where(known, free, 1)
    dof = size - columns - 1
    others = np.maximum(residuals @ residuals - residuals**2 / safe, 0) / dof
    scale = np.sqrt(others * safe)
    statistic = np.abs(residuals) / np.where(scale > 0, scale, np.inf)
    return np.where(known, 2 * stats.t.sf(statistic, dof), 1.0), np.where(known, residuals / safe, 0.0)
