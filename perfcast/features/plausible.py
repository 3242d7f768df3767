"""Features that cannot be what their name says: relative to others, they are far larger than usual."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

RANGES = 3.0
_MIN_MODELS = 20
_NONE = -1


@dataclass(frozen=True)
class OutlierBounds:
    """How much of a feature is plausible for so much of others.

    Attributes:
        features: index of each feature that is looked at.
        others: indices of those whose product it is compared with, -1 for none, features × most others.
        high: logarithm of the most that is plausible for one of the others' product.
        typical: logarithm of what is usual.
    """

    features: np.ndarray
    others: np.ndarray
    high: np.ndarray
    typical: np.ndarray

    def exceeded(self, inputs: np.ndarray) -> np.ndarray:
        """Return which features are implausible, rows × features looked at (booleans)."""
        return _log_ratios(inputs, self.features, self.others) > self.high

    def winsorized(self, inputs: np.ndarray) -> np.ndarray:
        """Return ``inputs`` with usual values in place of implausible ones."""
        wrong = self.exceeded(inputs)
        if not wrong.any():
            return inputs
        winsorized = inputs.copy()
        usual = np.exp(self.typical + _log_products(inputs, self.others))
        for rule, feature in enumerate(self.features):
            winsorized[wrong[:, rule], feature] = usual[wrong[:, rule], rule]
        return winsorized


def fit_outlier_bounds(inputs: np.ndarray, features: np.ndarray, others: np.ndarray) -> OutlierBounds:
    """Return the bounds determined from ``inputs`` (rows × features).

    A bound is three quartile ranges above the upper quartile of the logarithms ("far out" in Tukey's "Exploratory
    Data Analysis", 1977), what is usual is the median below it. Of fewer than 20 rows nothing is implausible.
    """
    high, typical = np.full(len(features), np.inf), np.zeros(len(features))
    if len(inputs) >= _MIN_MODELS and len(features):
        ratios = _log_ratios(inputs, features, others)
        low, upper = np.quantile(ratios, [0.25, 0.75], axis=0)
        high = upper + RANGES * (upper - low)
        typical = np.array([np.median(ratio[ratio <= most]) for ratio, most in zip(ratios.T, high, strict=True)])
    return OutlierBounds(features, others, np.minimum(high, np.finfo(float).max), typical)


def rules_of(names: tuple[str, ...], rules: Mapping[str, tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the features and the others that ``rules`` compare, as indices in ``names``, for `fit_outlier_bounds`.

    Rules are left out one of whose features is not among ``names``.
    """
    place = {name: index for index, name in enumerate(names)}
    known = {name: others for name, others in rules.items() if {name, *others} <= place.keys()}
    most = max((len(others) for others in known.values()), default=0)
    table = [[place[other] for other in others] + [_NONE] * (most - len(others)) for others in known.values()]
    return np.array([place[name] for name in known], dtype=int), np.array(table, dtype=int).reshape(len(known), most)


def _log_ratios(inputs: np.ndarray, features: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(inputs[:, features], 0)) - _log_products(inputs, others)


def _log_products(inputs: np.ndarray, others: np.ndarray) -> np.ndarray:
    logarithms = np.log(np.maximum(inputs, 1))[:, others]
    return np.where(others == _NONE, 0.0, logarithms).sum(axis=2)
