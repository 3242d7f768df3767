"""From features and numeric factors to what learners see: demands of a whole run, and of each thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.fit.selection import additive_features, per_sample_features

if TYPE_CHECKING:
    from collections.abc import Mapping

BATCH = "batch"
_RATES = ("threads", "clock_mhz")
"""Factors that work is divided by."""


@dataclass(frozen=True)
class InputColumns:
    """The columns of a matrix of inputs.

    Attributes:
        features: numbers of a model, for one sample.
        factors: numeric factors that vary; their columns follow those of the features.
    """

    features: tuple[str, ...]
    factors: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features) + len(self.factors)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names, in order."""
        return (*self.features, *self.factors)

    @property
    def expanded_names(self) -> tuple[str, ...]:
        """The names of the columns of `expanded`."""
        rates = "*".join(self._rates)
        return (*self.names, *(f"{self.features[index]}/{rates}" for index in self.work))

    @property
    def _rates(self) -> tuple[str, ...]:
        return tuple(name for name in _RATES if name in self.factors)

    @property
    def work(self) -> list[int]:
        """The features that are also seen divided by the rates; none where no rate varies."""
        work = set(per_sample_features(self.features)) & set(additive_features(self.features))
        return [index for index, name in enumerate(self.features) if name in work] if self._rates else []

    def of_batch(self, features: np.ndarray, batch: np.ndarray | float) -> np.ndarray:
        """Return the demands of a run of ``batch`` samples (one for all, or of each row) with ``features``."""
        scales = np.isin(self.features, per_sample_features(self.features))
        return features * np.where(scales, np.reshape(batch, (-1, 1)), 1.0)

    def with_factors(self, features: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        """Return inputs (rows × columns) of ``features`` (rows × features), all under the ``chosen`` factors."""
        if not self.factors:
            return features
        return np.hstack([features, np.tile(chosen, (len(features), 1))])

    def expanded(self, inputs: np.ndarray) -> np.ndarray:
        """Return what learners see of ``inputs`` (rows × columns): rows × expanded names.

        A run's demand is that of a sample times the batch. Work is there twice, as it is and divided by the threads
        (and the clock), so that costs of both say how much of it is done in parallel (Amdahl's law). Without factors
        that vary these are the inputs themselves.
        """
        if not self.factors:
            return inputs
        features, factors = inputs[:, : len(self.features)], inputs[:, len(self.features) :]
        if BATCH in self.factors:
            features = self.of_batch(features, factors[:, self.factors.index(BATCH)])
        rate = np.prod([factors[:, self.factors.index(name)] for name in self._rates], axis=0)
        return np.hstack([features, factors, features[:, self.work] / np.reshape(rate, (-1, 1))])


def full_effect(ratios: Mapping[str, float]) -> float:
    """Return by which factor work changes that is all divided by the threads and the clock, as these change."""
    return float(np.prod([1 / ratios[name] for name in _RATES if name in ratios]))


def combinations(values: np.ndarray) -> np.ndarray:
    """Return the distinct rows of ``values`` (rows × factors), in order; of no factors, one empty row."""
    return np.unique(values, axis=0) if values.shape[1] else np.empty((1, 0))


def covered(combination: np.ndarray, measured: np.ndarray) -> bool:
    """Return whether a combination of numeric factors lies between measured ones.

    For each factor there must be a measured value at or below and one at or above it, and all combinations of these
    must have been measured: what was excluded is not covered, nor what is beyond an end.

    Args:
        combination: one value per factor.
        measured: combinations × factors.
    """
    if not len(combination):
        return True
    below, above = [], []
    for value, known in zip(combination, measured.T, strict=True):
        if not known.min() <= value <= known.max():
            return False
        below.append(known[known <= value].max())
        above.append(known[known >= value].min())
    known_ones = {tuple(row) for row in measured.tolist()}
    corners = np.array(np.meshgrid(*zip(below, above, strict=True))).reshape(len(below), -1).T
    return {tuple(row) for row in corners.tolist()} <= known_ones
