"""Layers that return the shape they read: activations, dropouts, noise, and those that do nothing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome, Part
from perfcast.formats.keras_json.rules.activations import activation_of

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call


def _same(call: Call) -> Outcome:
    return Outcome((call.shape,))


def _identity(call: Call) -> Outcome:
    return Outcome((call.shape,), dtype=call.inputs[0].dtype)


def _activation(call: Call) -> Outcome:
    return Outcome((call.shape,), activation=activation_of(call.settings))


def _prelu(call: Call) -> Outcome:
    rank = len(call.shape)
    shared = call.settings.axes("shared_axes", rank) if call.settings.get("shared_axes") is not None else ()
    slopes = math.prod(size for axis, size in enumerate(call.shape) if axis and axis not in shared)
    return Outcome((call.shape,), (Part("alpha", slopes),))


_SAME = (
    "ActivityRegularization AlphaDropout Dropout ELU GaussianDropout GaussianNoise LeakyReLU Masking ReLU Softmax "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D ThresholdedReLU UnitNormalization"
)

RULES = dict.fromkeys(_SAME.split(), _same) | {
    "Activation": _activation,
    "Identity": _identity,
    "PReLU": _prelu,
}
"""Rules by class."""
