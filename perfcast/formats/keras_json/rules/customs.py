"""Layers that are not Keras' own but stand in many published models, where the name leaves no doubt what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome, Part
from perfcast.formats.keras_json.rules import merges, normalisations

if TYPE_CHECKING:
    from collections.abc import Callable

    from perfcast.formats.keras_json.call import Call


def _acting_as(kind: str) -> Callable[[Call], Outcome]:
    """Return the rule of a layer that returns the shape it reads, as Keras' layer `kind` does."""

    def rule(call: Call) -> Outcome:
        return Outcome((call.shape,), kind=kind)

    return rule


def _activation(name: str) -> Callable[[Call], Outcome]:
    def rule(call: Call) -> Outcome:
        return Outcome((call.shape,), activation=name, kind="Activation")

    return rule


def _same(call: Call) -> Outcome:
    return Outcome((call.shape,))


def _layer_scale(call: Call) -> Outcome:
    """Return the outcome of ConvNeXt's and CaiT's `LayerScale`, a factor for each channel."""
    return Outcome((call.shape,), (Part("gamma", call.settings.whole("projection_dim", call.shape[-1])),))


def _scale(call: Call) -> Outcome:
    """Return the outcome of `Scale`, which the Caffe conversions of ResNet and DenseNet put behind normalisations."""
    axis = call.settings.axes("axis", len(call.shape), -1)[0]
    size = call.shape[axis]
    return Outcome((call.shape,), (Part("gamma", size), Part("beta", size)))


def _instance(call: Call) -> Outcome:
    """Return the outcome of `InstanceNormalization`, whose axis may be absent: then it has one factor."""
    if "axis" in call.settings.values and call.settings.get("axis") is None:
        scale = (Part("gamma", 1),) if call.settings.flag("scale", True) else ()
        shift = (Part("beta", 1),) if call.settings.flag("center", True) else ()
        return Outcome((call.shape,), (*scale, *shift), kind="GroupNormalization")
    return Outcome((call.shape,), normalisations.RULES["GroupNormalization"](call).weights, kind="GroupNormalization")


def _l2(call: Call) -> Outcome:
    """Return the outcome of SSD's `L2Normalization`, a factor for each channel."""
    return Outcome((call.shape,), (Part("gamma", call.shape[-1]),))


_NAMES: dict[str, tuple[str, ...]] = {
    "Dropout": ("FixedDropout", "PermanentDropout", "MCDropout"),
    "StochasticDepth": ("DropConnect", "DropPath", "StochasticDepth"),
    "ReLU": ("Relu6", "ReLU6"),
}
_ACTIVATIONS: dict[str, tuple[str, ...]] = {
    "silu": ("Swish", "SiLU", "Silu", "swish"),
    "hard_silu": ("HardSwish", "Hardswish", "HSwish", "Hswish", "hard_swish", "h_swish"),
    "hard_sigmoid": ("HardSigmoid", "HSigmoid", "Hsigmoid", "hard_sigmoid", "h_sigmoid"),
    "mish": ("Mish", "mish"),
    "gelu": ("GELU", "Gelu", "gelu"),
}

RULES: dict[str, Callable[[Call], Outcome]] = (
    {name: _acting_as(kind) for kind, names in _NAMES.items() for name in names}
    | {name: _activation(function) for function, names in _ACTIVATIONS.items() for name in names}
    | dict.fromkeys(("LRN", "LRN2D", "LocalResponseNormalization"), _same)
    | {
        "BatchNormalization": normalisations.RULES["BatchNormalization"],
        # InceptionResNet's sum of two tensors, the second one scaled.
        "CustomScaleLayer": merges.RULES["Add"],
        "GroupNormalization": normalisations.RULES["GroupNormalization"],
        "InstanceNormalization": _instance,
        "L2Normalization": _l2,
        "LayerNormalization": normalisations.RULES["LayerNormalization"],
        "LayerScale": _layer_scale,
        "Scale": _scale,
        "SyncBatchNormalization": normalisations.RULES["SyncBatchNormalization"],
    }
)
"""Rules by class, without the package that the class is registered under."""
