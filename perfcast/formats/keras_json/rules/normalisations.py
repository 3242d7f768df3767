"""Normalisations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome, Part

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call


def _scale_and_shift(call: Call, elements: int) -> tuple[Part, ...]:
    scale = (Part("gamma", elements),) if call.settings.flag("scale", True) else ()
    return (*scale, Part("beta", elements)) if call.settings.flag("center", True) else scale


def _along(call: Call, default: int = -1) -> int:
    """Return the elements of one slice along the layer's axes."""
    axes = call.settings.axes("axis", len(call.shape), default)
    return math.prod(call.shape[axis] for axis in axes)


def _batch(call: Call) -> Outcome:
    elements = _along(call)
    statistics = tuple(Part(name, elements, trainable=False) for name in ("moving_mean", "moving_variance"))
    return Outcome((call.shape,), (*_scale_and_shift(call, elements), *statistics), kind="BatchNormalization")


def _layer(call: Call) -> Outcome:
    elements = _along(call)
    if call.settings.flag("rms_scaling", False):
        return Outcome((call.shape,), (Part("gamma", elements),))
    return Outcome((call.shape,), _scale_and_shift(call, elements))


def _group(call: Call) -> Outcome:
    return Outcome((call.shape,), _scale_and_shift(call, _along(call)))


def _rms(call: Call) -> Outcome:
    return Outcome((call.shape,), (Part("scale", _along(call)),))


def _fixed(call: Call) -> Outcome:
    """Return the outcome of `Normalization`, whose statistics are weights unless its configuration holds them."""
    if call.settings.get("mean") is not None:
        return Outcome((call.shape,))
    told = call.settings.values.get("axis", -1)
    elements = 1 if told is None or told == [] else _along(call)
    parts = (Part("mean", elements, trainable=False), Part("variance", elements, trainable=False))
    return Outcome((call.shape,), (*parts, Part("count", 1, trainable=False)))


RULES = dict.fromkeys(
    ("BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization"), _batch
) | {
    "GroupNormalization": _group,
    "LayerNormalization": _layer,
    "Normalization": _fixed,
    "RMSNormalization": _rms,
}
"""Rules by class."""
