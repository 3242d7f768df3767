"""Least squares with intervals that hold whatever the errors' variances are, and within clusters of conditions.

The covariance is that of the jackknife (MacKinnon and White 1985; Bell and McCaffrey 2002, CR3 for clusters): slightly
wide in small samples, where the plain one is far too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

_TINY = 1e-9
_MAX_CLUSTER = 2000
_FREE = 0.02
_MAX_LOG = 700.0


@dataclass(frozen=True)
class Fit:
    """Fitted coefficients.

    Attributes:
        coefficients: one per column.
        covariance: of them; None where nothing is left to know it from.
        dof: degrees of freedom of tests.
        residuals: one per row.
        left: rows less columns.
        total: sum of squares of the values about their mean.
    """

    coefficients: np.ndarray
    covariance: np.ndarray | None
    dof: int
    residuals: np.ndarray
    left: int
    total: float

    @property
    def variance(self) -> float:
        """Of the residuals; NaN where none is left."""
        return float(self.residuals @ self.residuals) / self.left if self.left else float("nan")

    @property
    def explained(self) -> float:
        """Share of the variance that the model explains."""
        return 1 - float(self.residuals @ self.residuals) / self.total if self.total > 0 else float("nan")


@dataclass(frozen=True)
class Estimate:
    """A combination of coefficients with its 95% interval and the p-value of its being 0; NaN where unknown."""

    value: float
    low: float
    high: float
    p_value: float


def fit(
    matrix: np.ndarray, values: np.ndarray, groups: np.ndarray | None = None, known: np.ndarray | None = None
) -> Fit:
    """Return the least squares fit.

    Args:
        matrix: of full column rank.
        values: one per row.
        groups: the cluster of each row; None where each is its own.
        known: the variance of each value and degrees of freedom as its last entry, for a model that leaves nothing.
    """
    q, r = np.linalg.qr(matrix)
    coefficients = np.linalg.solve(r, q.T @ values)
    residuals = values - matrix @ coefficients
    left = len(values) - matrix.shape[1]
    total = float(((values - values.mean()) ** 2).sum())
    inverse = np.linalg.inv(r)
    if left > 0:
        covariance = inverse @ _meat(q, residuals, groups) @ inverse.T
        dof = left if groups is None else len(np.unique(groups)) - 1
        return Fit(coefficients, covariance, dof, residuals, left, total)
    if known is None:
        return Fit(coefficients, None, 0, residuals, 0, total)
    covariance = inverse @ (q.T * known[:-1]) @ q @ inverse.T
    return Fit(coefficients, covariance, int(known[-1]), residuals, 0, total)


def _meat(q: np.ndarray, residuals: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    if groups is None:
        free = 1 - (q**2).sum(axis=1)
        # A row that alone determines a coefficient fits exactly, and says nothing of the errors.
        left_out = np.where(free > _TINY, residuals / np.where(free > _TINY, free, 1), 0)
        return (q.T * left_out**2) @ q
    scores = [_score(q[groups == group], residuals[groups == group]) for group in np.unique(groups)]
    return np.einsum("gi,gj->ij", scores, scores)


def _score(q: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    if len(q) > _MAX_CLUSTER:
        return q.T @ residuals
    return q.T @ (np.linalg.pinv(np.eye(len(q)) - q @ q.T, rcond=1e-8, hermitian=True) @ residuals)


def estimate(found: Fit, contrast: np.ndarray) -> Estimate:
    """Return a combination of the coefficients."""
    value = float(contrast @ found.coefficients)
    value = value if abs(value) > _TINY else 0.0
    unknown = float("nan")
    if found.covariance is None or found.dof < 1:
        return Estimate(value, unknown, unknown, unknown)
    error = float(np.sqrt(max(contrast @ found.covariance @ contrast, 0.0)))
    if error <= _TINY:
        return Estimate(value, value, value, 1.0 if value == 0 else 0.0)
    margin = float(stats.t.ppf(0.975, found.dof)) * error
    return Estimate(value, value - margin, value + margin, float(2 * stats.t.sf(abs(value) / error, found.dof)))


def joint_p_value(found: Fit, places: Sequence[int]) -> float:
    """Return the p-value of several coefficients' all being 0; NaN where it is unknown."""
    if found.covariance is None or found.dof < 1:
        return float("nan")
    part = found.coefficients[list(places)]
    inverse = np.linalg.pinv(found.covariance[np.ix_(places, places)], rcond=1e-8, hermitian=True)
    statistic = float(part @ inverse @ part) / len(places)
    return float(stats.f.sf(statistic, len(places), found.dof))


def ratio_of(log: float) -> float:
    """Return the ratio whose logarithm this is; one beyond any number is the largest one."""
    return float(np.exp(np.clip(log, -_MAX_LOG, _MAX_LOG)))


def is_exact(residuals: np.ndarray, values: np.ndarray) -> bool:
    """Return whether what a model leaves is no more than rounding."""
    return float(residuals @ residuals) <= _TINY**2 * max(float(((values - values.mean()) ** 2).sum()), _TINY)


def gain(q: np.ndarray, residuals: np.ndarray, columns: np.ndarray) -> tuple[float, int]:
    """Return by how much more columns reduce the sum of squares of a model with the basis ``q``, and their rank."""
    lengths = np.linalg.norm(columns, axis=0)
    scaled = columns / np.where(lengths > 0, lengths, 1)
    rest = scaled - q @ (q.T @ scaled)
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
