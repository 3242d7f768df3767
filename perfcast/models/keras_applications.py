"""The networks of Keras Applications: which there are, their families, width variants and input sizes."""

from __future__ import annotations

import inspect
import math
import re
from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.naming import format_value
from perfcast.models.spec import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras

SOURCE = "keras_applications"
"""What model specs of this catalogue carry as `source`."""

SHEET_SIZES = (64, 96, 128, 160, 192, 224)
"""Heights in pixels that `all_specs` takes, besides each network's own default."""

# A family is what is left out together in validation: networks built from the same block.
_FAMILIES = (
    ("inceptionresnet", r"inceptionresnetv\d+"),
    ("inception", r"inceptionv\d+"),
    ("xception", r"xception"),
    ("convnext", r"convnext[a-z]+"),
    ("densenet", r"densenet\d+"),
    ("efficientnetv2", r"efficientnetv2[a-z]\d*"),
    ("efficientnet", r"efficientnetb\d+"),
    ("mobilenetv3", r"mobilenetv3[a-z]+"),
    ("mobilenetv2", r"mobilenetv2"),
    ("mobilenet", r"mobilenet"),
    ("nasnet", r"nasnet[a-z]+"),
    ("resnetv2", r"resnet\d+v2"),
    ("resnet", r"resnet\d+"),
    ("vgg", r"vgg\d+"),
)

# Found by trying: Keras only refuses smaller ones.
_MIN_SIZES = {"inception": 75, "inceptionresnet": 75, "xception": 71}
_MIN_SIZE = 32

# The size each was published at, where that is not 224.
_DEFAULT_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2S": 384,
    "EfficientNetV2M": 480,
    "EfficientNetV2L": 480,
    "InceptionV3": 299,
    "InceptionResNetV2": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}

# The widths that were published with weights; the builders take any.
_WIDTHS = {"mobilenet": (0.25, 0.5, 0.75), "mobilenetv2": (0.35, 0.5, 0.75, 1.3, 1.4), "mobilenetv3": (0.75,)}

# The exporter decides these for every network alike.
_RESERVED = ("weights", "input_tensor", "input_shape", "include_top", "name")


def family_of(builder: str) -> str:
    """Return the family of the architecture `builder`, as `densenet` of `DenseNet121`.

    Raises:
        UsageError: no family is known for it.
    """
    for family, pattern in _FAMILIES:
        if re.fullmatch(pattern, builder.lower(), re.ASCII):
            return family
    known = ", ".join(sorted(family for family, _ in _FAMILIES))
    raise UsageError(f"{builder!r} is not a network of Keras Applications; known families are {known}")


def min_size(builder: str) -> int:
    """Return the smallest height and width, in pixels, that the architecture `builder` allows.

    Raises:
        UsageError: no family is known for it.
    """
    return _MIN_SIZES.get(family_of(builder), _MIN_SIZE)


def default_size(builder: str) -> int:
    """Return the height and width, in pixels, that the architecture `builder` was published at."""
    return _DEFAULT_SIZES.get(builder, 224)


def make_spec(builder: str, input_shape: tuple[int, ...], parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of one architecture at one input size.

    Args:
        builder: a class of `keras.applications`, as `MobileNet`.
        input_shape: height, width and channels.
        parameters: arguments of the builder, as `{"alpha": 0.25}`.

    Raises:
        UsageError: the architecture is unknown, the input too small, or a parameter wrong or not the user's to
            set.
    """
    family = family_of(builder)
    smallest = min_size(builder)
    if min(input_shape[:2]) < smallest:
        raise UsageError(f"{builder} takes inputs of at least {smallest} px, not {min(input_shape[:2])}")
    for key in parameters:
        if key in _RESERVED:
            raise UsageError(f"{builder}: parameter {key!r} is set by perfcast; leave it out")
    if not _is_width(parameters.get("alpha", 1)):
        raise UsageError(f"{builder}: parameter 'alpha' must be a number above 0, not {parameters['alpha']!r}")
    variant = "".join(
        f"_{key}" if value is True else f"_{key}{format_value(value)}" for key, value in sorted(parameters.items())
    )
    return ModelSpec(builder.lower() + variant.lower(), family, SOURCE, builder, input_shape, parameters)


def _is_width(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0


def installed_architectures() -> dict[str, Callable[..., keras.Model]]:
    """Return every architecture of the installed Keras by name, in alphabetical order."""
    from keras import applications

    return {
        name: member
        for name, member in sorted(vars(applications).items())
        if inspect.isfunction(member) and "weights" in inspect.signature(member).parameters
    }


def variants_of(builder: str, function: Callable[..., keras.Model]) -> list[dict[str, Any]]:
    """Return the arguments of each variant of an architecture, the plain one first."""
    taken = inspect.signature(function).parameters
    variants: list[dict[str, Any]] = [{}]
    if "alpha" in taken:
        variants += [{"alpha": width} for width in _WIDTHS.get(family_of(builder), ())]
    if "minimalistic" in taken:
        variants.append({"minimalistic": True})
    return variants


def all_specs() -> list[ModelSpec]:
    """Return every architecture of the installed Keras in all variants, at every size it allows."""
    return [
        make_spec(builder, (size, size, 3), parameters)
        for builder, function in installed_architectures().items()
        for parameters in variants_of(builder, function)
        for size in sorted({*SHEET_SIZES, default_size(builder)})
        if size >= min_size(builder)
    ]


def build(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec` without pretrained weights.

    Raises:
        UsageError: the installed Keras has no such architecture, or it takes no such parameter.
    """
    functions = installed_architectures()
    if spec.builder not in functions:
        raise UsageError(
            f"the installed Keras Applications have no {spec.builder!r}; it is one of {', '.join(functions)}"
        )
    function = functions[spec.builder]
    taken = [name for name in inspect.signature(function).parameters if name not in _RESERVED]
    for key in spec.parameters:
        if key not in taken:
            raise UsageError(f"{spec.builder} takes no parameter {key!r}; it takes {', '.join(taken)}")
    return function(weights=None, input_shape=spec.input_shape, **spec.parameters)
