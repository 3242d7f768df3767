"""What learners see: logarithms around a physical estimate, scaled, kept within what was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perfcast.features.scale import signed_log
from perfcast.fit.physical import Physics, fit_physical, fit_robust, no_physics

if TYPE_CHECKING:
    from perfcast.fit.training_data import TrainingData

PLAIN, ROBUST = 1, 2
"""The physical models there are, as settings name them; 0 is to do without."""


@dataclass(frozen=True)
class Encoding:
    """How features become a learner's inputs, and a learner's output becomes a prediction.

    A learner predictions the logarithm of the ratio between target and physical estimate, both standardised:
    it corrects the physics and leaves growth with size to it. Inputs and output are held to the range seen
    in training, beyond which a fitted curve means nothing.

    Attributes:
        physics: the physical model.
        anchored: array of one number, 1 where learners correct the physical model and 0 where there is none.
        varying: indices of the features that are not constant.
        ratios: products of powers of features that learners see in addition: exponents, ratios × features.
        mean, scale, low, high: of each input: the varying features' logarithms, the ratios', the physical estimate's.
        output: mean, scale, lowest and highest of the learner's target.
    """

    physics: Physics
    anchored: np.ndarray
    varying: np.ndarray
    ratios: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    low: np.ndarray
    high: np.ndarray
    output: np.ndarray

    def encode(self, inputs: np.ndarray) -> np.ndarray:
        """Return a learner's inputs (rows × encoded) of ``inputs`` (rows × features)."""
        return (np.clip(self._raw(inputs), self.low, self.high) - self.mean) / self.scale

    def scaled(self, inputs: np.ndarray) -> np.ndarray:
        """Return the same as `encode`, but not held to the range seen in training."""
        return (self._raw(inputs) - self.mean) / self.scale

    def encode_target(self, inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
        """Return what a learner should answer for ``inputs`` whose target is ``target``."""
        return (np.log(target) - self._anchor(inputs) - self.output[0]) / self.output[1]

    def decode(self, inputs: np.ndarray, answer: np.ndarray) -> np.ndarray:
        """Return the prediction, in the target's unit, of a learner's ``answer`` for ``inputs``."""
        mean, scale, low, high = self.output
        return np.exp(np.clip(answer * scale + mean, low, high) + self._anchor(inputs))

    def _anchor(self, inputs: np.ndarray) -> np.ndarray:
        return self.physics.log_estimate(inputs) if self.anchored[0] else np.zeros(len(inputs))

    def _raw(self, inputs: np.ndarray) -> np.ndarray:
        return _raw(inputs, self.varying, self.ratios, self._anchor(inputs) if self.anchored[0] else None)


def fit_encoding(rows: TrainingData, physical: int = PLAIN, *, with_ratios: bool = False) -> Encoding:
    """Return the encoding trained on ``rows``.

    Args:
        rows: what is trained on.
        physical: which physical model learners correct: `PLAIN`, `ROBUST` or 0 for none.
        with_ratios: whether learners see the rows' ratios.
    """
    physics = _physics(rows, physical)
    varies = np.ptp(rows.inputs, axis=0) > 0
    # Learners need an input, be it a constant one: a few rows may have no more to offer.
    varying = np.flatnonzero(varies | ~varies.any())
    ratios = rows.ratios if with_ratios else rows.ratios[:0]
    anchor = physics.log_estimate(rows.inputs) if physical else None
    raw = _raw(rows.inputs, varying, ratios, anchor)
    wanted = np.log(rows.target) - (0.0 if anchor is None else anchor)
    return Encoding(
        physics=physics,
        anchored=np.array([int(physical > 0)]),
        varying=varying,
        ratios=ratios,
        mean=raw.mean(axis=0),
        scale=_scale(raw),
        low=raw.min(axis=0),
        high=raw.max(axis=0),
        output=np.array([wanted.mean(), _scale(wanted), wanted.min(), wanted.max()]),
    )


def _physics(rows: TrainingData, physical: int) -> Physics:
    inputs, target, bounded = rows.with_bounds()
    if physical == PLAIN:
        return fit_physical(inputs, rows.additive, target, bounded)
    if physical == ROBUST:
        return fit_robust(inputs, rows.additive, target, rows.caps, bounded)
    return no_physics(rows.inputs.shape[1])


def logarithms(inputs: np.ndarray, ratios: np.ndarray, varying: np.ndarray | None = None) -> np.ndarray:
    """Return the logarithms of the features ``varying`` (all where not given) and of the ``ratios`` between some."""
    every = signed_log(inputs)
    return np.hstack([every if varying is None else every[:, varying], every @ ratios.T])


def _raw(inputs: np.ndarray, varying: np.ndarray, ratios: np.ndarray, anchor: np.ndarray | None) -> np.ndarray:
    found = logarithms(inputs, ratios, varying)
    return found if anchor is None else np.column_stack([found, anchor])


def _scale(values: np.ndarray) -> np.ndarray:
    deviation = values.std(axis=0)
    return np.where(deviation > 1e-9, deviation, 1.0)
