"""A physical model: time and memory as a sum of what a network does, each part at a cost of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_SHRINKAGE = 1e-3
_LOG_FLOOR = 1e-12
_ROUNDS, _BOUNDED_ROUNDS = 20, 10
_TYPICAL = 0.005
_CAPS = 28


@dataclass(frozen=True)
class Physics:
    """Costs, none of them negative, of what a network does.

    Attributes:
        costs: of running anything at all, and of each feature.
        roots: of each feature's square root: what is shared between parts, or hidden behind others.
        pairs: caps × 2 indices of features, a and b, of terms min(a, k·b).
        caps: k of each.
        capped: cost of each.
    """

    costs: np.ndarray
    roots: np.ndarray
    pairs: np.ndarray
    caps: np.ndarray
    capped: np.ndarray

    def log_estimate(self, inputs: np.ndarray) -> np.ndarray:
        """Return the logarithm of what the costs prediction for ``inputs`` (rows × features), one number a row."""
        estimate = with_one(inputs) @ self.costs
        if self.roots.any():
            estimate = estimate + np.sqrt(np.maximum(inputs, 0)) @ self.roots
        if self.capped.any():
            estimate = estimate + _capped(inputs, self.pairs, self.caps) @ self.capped
        return np.log(np.maximum(estimate, _LOG_FLOOR))


def no_physics(features: int) -> Physics:
    """Return costs of nothing."""
    empty = np.zeros(0)
    return Physics(np.zeros(1 + features), np.zeros(features), np.zeros((0, 2), dtype=int), empty, empty)


def fit_physical(
    inputs: np.ndarray, additive: np.ndarray, target: np.ndarray, bounded: np.ndarray | None = None
) -> Physics:
    """Return the costs that make ``target`` a sum over features: non-negative least squares, relative error.

    Minimises Σ ((cost₀ + Σ costⱼ·inputⱼ) / target − 1)² over costs ≥ 0, so that a small and a large network
    count alike, and so that twice the work is never predicted to take less.

    Args:
        inputs: rows × features.
        additive: features that may have a cost (booleans).
        target: one positive number a row.
        bounded: rows whose target is a lower bound (booleans).
    """
    terms = with_one(inputs)[:, np.r_[True, additive]]
    costs = np.zeros(1 + inputs.shape[1])
    costs[np.r_[True, additive]] = least_squares(terms, target, bounded)
    nothing = no_physics(inputs.shape[1])
    return Physics(costs, nothing.roots, nothing.pairs, nothing.caps, nothing.capped)


def least_squares(terms: np.ndarray, target: np.ndarray, bounded: np.ndarray | None = None) -> np.ndarray:
    """Return costs, none negative, with the least squared relative errors.

    Args:
        terms: rows × costs.
        target: one positive number a row.
        bounded: rows whose target is a lower bound (booleans).
    """
    return least_absolute(terms / target[:, None], np.inf, _SHRINKAGE, 1, bounded=bounded)


def fit_robust(
    inputs: np.ndarray,
    additive: np.ndarray,
    target: np.ndarray,
    pairs: np.ndarray,
    bounded: np.ndarray | None = None,
) -> Physics:
    """Return costs as `fit_physical` does, with square roots and caps, and of the absolute relative error.

    A few wrong rows then do not bend the costs of all (least absolute deviations, by iteratively reweighted
    least squares). ``pairs`` are indices of features, caps × 2: the first costs less per unit once there is more than
    some share of it to each of the second, and which share is learned.
    """
    features = inputs.shape[1]
    every, caps = _caps(inputs, pairs)
    roots = np.sqrt(np.maximum(inputs, 0))[:, additive]
    terms = np.hstack([with_one(inputs)[:, np.r_[True, additive]], roots, _capped(inputs, every, caps)])
    solution = least_absolute(terms / target[:, None], _TYPICAL, _SHRINKAGE, _ROUNDS, bounded=bounded)
    linear, rooted, capped = np.split(solution, np.cumsum([1 + additive.sum(), additive.sum()]))
    costs, root_costs = np.zeros(1 + features), np.zeros(features)
    costs[np.r_[True, additive]], root_costs[additive] = linear, rooted
    used = capped > 0
    return Physics(costs, root_costs, every[used], caps[used], capped[used])


def least_absolute(
    terms: np.ndarray,
    knee: float,
    shrinkage: float,
    rounds: int,
    prior: np.ndarray | None = None,
    bounded: np.ndarray | None = None,
) -> np.ndarray:
    """Return costs, none negative, that make the rows of ``terms`` sum to 1 with the least absolute error.

    Args:
        terms: rows × costs, of features divided by the row's target.
        knee: errors below it count by their square.
        shrinkage: how strongly costs are held to ``prior``, in units of the terms' root mean square.
        rounds: how often weights are found again (iteratively reweighted least squares).
        prior: costs to hold to; 0 where not given.
        bounded: rows whose target is a lower bound (booleans): they count in rounds in which they sum to less than 1.
    """
    size = np.sqrt((terms**2).mean(axis=0))
    size = np.where(size > 0, size, 1.0)
    scaled, wanted = terms / size, np.zeros(terms.shape[1]) if prior is None else prior * size
    bounded = np.zeros(len(terms), dtype=bool) if bounded is None else bounded
    found = _solve(scaled, np.where(bounded, 0.0, 1.0), shrinkage, wanted)
    for _ in range(max(rounds, _BOUNDED_ROUNDS if bounded.any() else 0) - 1):
        errors = scaled @ found - 1
        weights = np.minimum(1, np.divide(knee, np.abs(errors), where=errors != 0, out=np.ones(len(terms))))
        found = _solve(scaled, np.sqrt(np.where(bounded & (errors > 0), 0.0, weights)), shrinkage, wanted)
    return found / size


def _solve(terms: np.ndarray, weights: np.ndarray, shrinkage: float, prior: np.ndarray) -> np.ndarray:
    """Return the non-negative least squares solution of weights·(terms·x − 1), with x held to ``prior``."""
    from scipy.optimize import nnls

    # Collinear features (flops, macs) have no single answer: shrinkage makes it unique.
    held = shrinkage * np.eye(terms.shape[1])
    solution, _ = nnls(
        np.vstack([terms * weights[:, None], held]), np.r_[weights, shrinkage * prior], maxiter=100 * terms.shape[1]
    )
    return solution


def _caps(inputs: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a pair and a cap for each term: so many caps a pair, between the least ratio seen and the greatest."""
    every, caps = [np.zeros((0, 2), dtype=int)], [np.zeros(0)]
    for first, second in pairs:
        ratio = np.maximum(inputs[:, first], 1) / np.maximum(inputs[:, second], 1)
        caps.append(np.geomspace(ratio.min(), ratio.max(), _CAPS + 2)[1:-1])
        every.append(np.tile([first, second], (_CAPS, 1)))
    return np.vstack(every), np.concatenate(caps)


def _capped(inputs: np.ndarray, pairs: np.ndarray, caps: np.ndarray) -> np.ndarray:
    return np.minimum(inputs[:, pairs[:, 0]], caps * inputs[:, pairs[:, 1]])


def with_one(inputs: np.ndarray) -> np.ndarray:
    """Return ``inputs`` with a column of ones before them: running anything at all costs something."""
    return np.column_stack([np.ones(len(inputs)), inputs])
