"""Layers whose result has the shape of what they read: activations, sums, normalisations; and what joins tensors.

Some are not Keras' own but stand in many published models, where the name leaves no doubt what they do.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Call, Outcome, Part
from perfcast.formats.keras_json.rules.shapes import activation_of, broadcast, concatenated
from perfcast.network.macs import contraction_macs

if TYPE_CHECKING:
    from collections.abc import Callable


def plain(call: Call, *weights: Part, kind: str | None = None, activation: str | None = None) -> Outcome:
    """Return the outcome of a layer that gives the shape it reads, in the type that it computes in."""
    return Outcome((call.shape,), weights, kind=kind, activation=activation)


def _prelu(call: Call) -> Outcome:
    rank = len(call.shape)
    shared = call.settings.axes("shared_axes", rank) if call.settings.get("shared_axes") is not None else ()
    slopes = math.prod(size for axis, size in enumerate(call.shape) if axis and axis not in shared)
    return plain(call, Part("alpha", slopes))


def _merged(call: Call) -> tuple[int, ...]:
    """Return the shape of tensors that are merged element by element; those of fewer axes get them behind.

    Keras' merging layers align tensors at the batch: of `(?, 3)` and `(?, 5, 3)` the first is read as `(?, 1, 3)`.
    """
    shape: tuple[int, ...] = call.inputs[0].shape[1:]
    for symbol in call.inputs[1:]:
        shape = broadcast(call, shape, symbol.shape[1:])
    return (call.shape[0], *shape)


def _concatenate(call: Call) -> Outcome:
    axis = call.settings.axes("axis", len(call.shape), -1)[0]
    return Outcome((concatenated(call, [symbol.shape for symbol in call.inputs], axis),))


def _dot(call: Call) -> Outcome:
    if len(call.inputs) != 2:
        call.refuse("takes two tensors")
    first, second = (list(symbol.shape) for symbol in call.inputs)
    told = call.settings.get("axes", -1)
    axes = told if isinstance(told, list) else [told, told]
    if len(axes) != 2 or not all(type(axis) is int for axis in axes):
        call.settings.refuse("axes")
    macs = contraction_macs(tuple(first), tuple(second), axes)
    if first.pop(axes[0]) != second.pop(axes[1]):
        call.refuse("multiplies along axes of different sizes")
    shape = (*first, *second[1:])
    return Outcome((shape if len(shape) > 1 else (*shape, 1),), macs=macs)


def _merge(call: Call) -> Outcome:
    """Return the outcome of the `Merge` layer of the first versions of Keras 2."""
    mode = call.settings.word("mode", "sum")
    kinds = {"sum": "Add", "mul": "Multiply", "ave": "Average", "max": "Maximum"}
    if mode == "concat":
        axis = call.settings.axes("concat_axis", len(call.shape), -1)[0]
        return Outcome((concatenated(call, [symbol.shape for symbol in call.inputs], axis),), kind="Concatenate")
    if mode not in kinds:
        call.settings.refuse("mode")
    return Outcome((_merged(call),), kind=kinds[mode])


def _scale_and_shift(call: Call, elements: int) -> tuple[Part, ...]:
    scale = (Part("gamma", elements),) if call.settings.flag("scale", True) else ()
    return (*scale, Part("beta", elements)) if call.settings.flag("center", True) else scale


def _along(call: Call, default: int = -1) -> int:
    """Return the elements of one slice along the layer's axes."""
    axes = call.settings.axes("axis", len(call.shape), default)
    return math.prod(call.shape[axis] for axis in axes)


def _batch(call: Call) -> Outcome:
    elements = _along(call)
    statistics = (Part(name, elements, trainable=False) for name in ("moving_mean", "moving_variance"))
    return plain(call, *_scale_and_shift(call, elements), *statistics, kind="BatchNormalization")


def _layer(call: Call) -> Outcome:
    elements = _along(call)
    scaled = call.settings.flag("rms_scaling", False)
    return plain(call, *((Part("gamma", elements),) if scaled else _scale_and_shift(call, elements)))


def _group(call: Call, kind: str | None = None) -> Outcome:
    """Return the outcome of a normalisation of groups; where the axis is null, it has one factor."""
    single = kind is not None and "axis" in call.settings.values and call.settings.get("axis") is None
    return plain(call, *_scale_and_shift(call, 1 if single else _along(call)), kind=kind)


def _fixed(call: Call) -> Outcome:
    """Return the outcome of `Normalization`, whose statistics are weights unless its configuration holds them."""
    if call.settings.get("mean") is not None:
        return plain(call)
    told = call.settings.values.get("axis", -1)
    elements = 1 if told is None or told == [] else _along(call)
    sizes = {"mean": elements, "variance": elements, "count": 1}
    return plain(call, *(Part(name, size, trainable=False) for name, size in sizes.items()))


def _scale(call: Call) -> Outcome:
    """Return the outcome of `Scale`, which the Caffe conversions of ResNet and DenseNet put behind normalisations."""
    size = call.shape[call.settings.axes("axis", len(call.shape), -1)[0]]
    return plain(call, Part("gamma", size), Part("beta", size))


_PLAIN = (
    "ActivityRegularization AlphaDropout Dropout ELU GaussianDropout GaussianNoise LeakyReLU Masking ReLU Softmax "
    "SpatialDropout1D SpatialDropout2D SpatialDropout3D ThresholdedReLU UnitNormalization"
)
_SUMS = "Add Average Maximum Minimum Multiply Subtract"
_BATCH = "BatchNormalization SyncBatchNormalization"

RULES: dict[str, Callable[[Call], Outcome]] = {
    **dict.fromkeys(_PLAIN.split(), plain),
    **dict.fromkeys(_SUMS.split(), lambda call: Outcome((_merged(call),))),
    **dict.fromkeys(f"{_BATCH} BatchNormalizationV1 BatchNormalizationV2".split(), _batch),
    "Activation": lambda call: plain(call, activation=activation_of(call.settings)),
    "Concatenate": _concatenate,
    "Dot": _dot,
    "GroupNormalization": _group,
    "Identity": Call.same,
    "LayerNormalization": _layer,
    "Merge": _merge,
    "Normalization": _fixed,
    "PReLU": _prelu,
    "RMSNormalization": lambda call: plain(call, Part("scale", _along(call))),
}
"""Rules by class."""

# The layer of Keras that does as others of these names do, or the activation that they are.
_KINDS = {
    "Dropout": "FixedDropout PermanentDropout MCDropout",
    "StochasticDepth": "DropConnect DropPath StochasticDepth",
    "ReLU": "Relu6 ReLU6",
}
_ACTIVATIONS = {
    "silu": "Swish SiLU Silu swish",
    "hard_silu": "HardSwish Hardswish HSwish Hswish hard_swish h_swish",
    "hard_sigmoid": "HardSigmoid HSigmoid Hsigmoid hard_sigmoid h_sigmoid",
    "mish": "Mish mish",
    "gelu": "GELU Gelu gelu",
}

OF_OTHERS: dict[str, Callable[[Call], Outcome]] = {
    **{name: partial(plain, kind=kind) for kind, names in _KINDS.items() for name in names.split()},
    **{
        name: partial(plain, kind="Activation", activation=function)
        for function, names in _ACTIVATIONS.items()
        for name in names.split()
    },
    **dict.fromkeys(("LRN", "LRN2D", "LocalResponseNormalization"), plain),
    **dict.fromkeys(_BATCH.split(), _batch),
    # InceptionResNet's sum of two tensors, the second one scaled.
    "CustomScaleLayer": RULES["Add"],
    "GroupNormalization": _group,
    "InstanceNormalization": partial(_group, kind="GroupNormalization"),
    # SSD's factor for each channel; ConvNeXt's and CaiT's.
    "L2Normalization": lambda call: plain(call, Part("gamma", call.shape[-1])),
    "LayerNormalization": _layer,
    "LayerScale": lambda call: plain(call, Part("gamma", call.settings.whole("projection_dim", call.shape[-1]))),
    "Scale": _scale,
}
"""Rules of layers of others by class, without the package that the class is registered under."""
