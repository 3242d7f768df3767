"""A physical model: time and memory as a sum of what a network does, each part at a cost of its own."""

from __future__ import annotations

import numpy as np

_SHRINKAGE = 1e-3
_LOG_FLOOR = 1e-12


def fit_physical(inputs: np.ndarray, additive: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return the costs that make ``target`` a sum over features: non-negative least squares, relative error.

    Minimises Σ ((cost₀ + Σ costⱼ·inputⱼ) / target − 1)² over costs ≥ 0, so that a small and a large network
    count alike, and so that twice the work is never forecast to take less.

    Args:
        inputs: rows × features.
        additive: features that may have a cost (booleans).
        target: one positive number a row.

    Returns:
        1 + features costs, the first the cost of running anything at all; 0 for features not ``additive``.
    """
    from scipy.optimize import nnls

    terms = _terms(inputs)[:, np.r_[True, additive]] / target[:, None]
    norms = np.linalg.norm(terms, axis=0)
    used = norms > 0
    scaled = terms[:, used] / norms[used]
    # Collinear features (flops, macs) have no single answer: a slight shrinkage makes it unique.
    damped = np.vstack([scaled, _SHRINKAGE * np.eye(scaled.shape[1])])
    wanted = np.r_[np.ones(len(target)), np.zeros(scaled.shape[1])]
    solution, _ = nnls(damped, wanted, maxiter=100 * scaled.shape[1])
    costs = np.zeros(1 + inputs.shape[1])
    costs[np.flatnonzero(np.r_[True, additive])[used]] = solution / norms[used]
    return costs


def log_estimate(costs: np.ndarray, inputs: np.ndarray) -> np.ndarray:
    """Return the logarithm of what ``costs`` of `fit_physical` forecast for ``inputs``, one number a row."""
    return np.log(np.maximum(_terms(inputs) @ costs, _LOG_FLOOR))


def _terms(inputs: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(inputs)), inputs])
