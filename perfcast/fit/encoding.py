"""What learners see: logarithms around a physical estimate, scaled, kept within what was learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perfcast.fit.physical import fit_physical, log_estimate


@dataclass(frozen=True)
class Encoding:
    """How features become a learner's inputs, and a learner's output becomes a forecast.

    A learner forecasts the logarithm of the ratio between target and physical estimate, both standardised:
    it corrects the physics and leaves growth with size to it. Inputs and output are held to the range seen
    in training, beyond which a fitted curve means nothing.

    Attributes:
        costs: the physical model's (see `fit_physical`), empty where it is not used.
        varying: indices of the features that are not constant.
        mean, scale, low, high: of each input: the varying features' logarithms, then the physical estimate's.
        output: mean, scale, lowest and highest of the learner's target.
    """

    costs: np.ndarray
    varying: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    output: np.ndarray

    def encode(self, inputs: np.ndarray) -> np.ndarray:
        """Return a learner's inputs (rows × encoded) of ``inputs`` (rows × features)."""
        raw = _raw(inputs, self.varying, self.costs)
        return (np.clip(raw, self.low, self.high) - self.mean) / self.scale

    def scaled(self, inputs: np.ndarray) -> np.ndarray:
        """Return the same as `encode`, but not held to the range seen in training."""
        return (_raw(inputs, self.varying, self.costs) - self.mean) / self.scale

    def encode_target(self, inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return what a learner should answer for ``inputs`` whose target is ``target``."""
        return (np.log(target) - self._anchor(inputs) - self.output[0]) / self.output[1]

    def decode(self, inputs: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """Return the forecast, in the target's unit, of a learner's ``answer`` for ``inputs``."""
        mean, scale, low, high = self.output
        return np.exp(np.clip(answer * scale + mean, low, high) + self._anchor(inputs))

    def _anchor(self, inputs: np.ndarray) -> np.ndarray:
        return log_estimate(self.costs, inputs) if self.costs.size else np.zeros(len(inputs))


def fit_encoding(inputs: np.ndarray, additive: np.ndarray, target: np.ndarray, *, physical: bool = True) -> Encoding:
    """Return the encoding learned from ``inputs`` (rows × features) and their ``target``.

    Args:
        inputs: rows × features.
        additive: features that may have a physical cost (booleans).
        target: one positive number a row.
        physical: False to do without the physical model, so that inputs are the features alone.
    """
    costs = fit_physical(inputs, additive, target) if physical else np.empty(0)
    varies = np.ptp(inputs, axis=0) > 0
    # Learners need an input, be it a constant one: a few rows may have no more to offer.
    varying = np.flatnonzero(varies | ~varies.any())
    raw = _raw(inputs, varying, costs)
    wanted = np.log(target) - (log_estimate(costs, inputs) if physical else 0.0)
    return Encoding(
        costs=costs,
        varying=varying,
        mean=raw.mean(axis=0),
        scale=_scale(raw),
        low=raw.min(axis=0),
        high=raw.max(axis=0),
        output=np.array([wanted.mean(), _scale(wanted), wanted.min(), wanted.max()]),
    )


def signed_log(values: np.ndarray) -> np.ndarray:
    """Return log(1 + |value|) with the value's sign: features span many orders of magnitude."""
    return np.sign(values) * np.log1p(np.abs(values))


def _raw(inputs: np.ndarray, varying: np.ndarray, costs: np.ndarray) -> np.ndarray:
    logarithms = signed_log(inputs[:, varying])
    return np.column_stack([logarithms, log_estimate(costs, inputs)]) if costs.size else logarithms


def _scale(values: np.ndarray) -> np.ndarray:
    deviation = values.std(axis=0)
    return np.where(deviation > 1e-9, deviation, 1.0)
