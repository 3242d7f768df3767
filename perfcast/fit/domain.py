"""Where a predictor may be trusted: within the ranges it trained on, and near enough to what it saw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from perfcast.features.scale import signed_log
from perfcast.fit.learners import squared_distances

RANGE_MARGIN = 0.1
DISTANCE_SHARE = 0.99
DISTANCE_FACTOR = 1.5
_ROUNDING = 1e-9


class Location(NamedTuple):
    """How far rows are from the nearest trained on, 1 being as far as it may, and whether they are in the domain."""

    distances: np.ndarray
    inside: np.ndarray


@dataclass(frozen=True)
class Domain:
    """What was trained on, in logarithms.

    Attributes:
        low, high: of each feature, margin included.
        scale: of each feature, 0 where it was constant and so says nothing of nearness.
        rows: what was trained on, rows × features, divided by ``scale``.
        reach: array of one number: how far from the nearest row a network may be.
    """

    low: np.ndarray
    high: np.ndarray
    scale: np.ndarray
    rows: np.ndarray
    reach: np.ndarray

    def contains(self, inputs: np.ndarray) -> np.ndarray:
        """Return for each row of ``inputs`` (rows × features) whether it is like what was trained on."""
        return self.locate(inputs).inside

    def locate(self, inputs: np.ndarray) -> Location:
        """Return where each row of ``inputs`` (rows × features) is, seen from what was trained on."""
        logarithms = signed_log(inputs)
        within = ((logarithms >= self.low) & (logarithms <= self.high)).all(axis=1)
        nearest = squared_distances(_scaled(logarithms, self.scale), self.rows).min(axis=1)
        distances = np.sqrt(nearest) / self.reach[0]
        return Location(distances, within & (distances <= 1))


def fit_domain(inputs: np.ndarray) -> Domain:
    """Return the domain of a predictor trained on ``inputs`` (rows × features).

    Ranges are widened by a tenth on either side. The reach is one and a half times the distance that 99% of
    the rows keep from their nearest other row.
    """
    logarithms = signed_log(inputs)
    low, high = logarithms.min(axis=0), logarithms.max(axis=0)
    margin = RANGE_MARGIN * (high - low) + _ROUNDING
    scale = np.where(high > low, logarithms.std(axis=0), 0.0)
    rows = _scaled(logarithms, scale)
    reach = DISTANCE_FACTOR * np.quantile(_nearest_other(rows), DISTANCE_SHARE) + _ROUNDING
    return Domain(low - margin, high + margin, scale, rows, np.array([reach]))


def _nearest_other(rows: np.ndarray) -> np.ndarray:
    """Return each row's distance from the nearest other one, 0 for a row that is alone."""
    if len(rows) == 1:
        return np.zeros(1)
    distances = squared_distances(rows, rows)
    np.fill_diagonal(distances, np.inf)
    return np.sqrt(distances.min(axis=1))


def _scaled(logarithms: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.divide(logarithms, scale, out=np.zeros_like(logarithms), where=scale > 0)
