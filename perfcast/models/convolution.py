"""Networks of one convolution, for micro-benchmarks: `convolution_<kernel>_<channels>_<filters>`.

A convolution that keeps the size (padding), with bias and without activation; then the mean over the image, so that
no image has to be copied back. `second` is the kernel of another convolution behind it: 5 and 3 see as much of the
input as 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import UsageError
from perfcast.models.naming import only, refuse_too_large, whole_number
from perfcast.models.spec import ModelSpec
from perfcast.network.macs import convolution_macs

if TYPE_CHECKING:
    import keras

SOURCE = "convolution"
"""What model specs of this catalogue carry as `source`."""

BUILDER = "convolution"
"""The one builder of this catalogue; convolutions of the same kernels are a family."""

_MAX_VALUE = 10_000
_DEFAULTS = {"channels": 32, "filters": 32, "stride": 1}
"""Those of the document on training on low-power devices."""


def make_spec(builder: str, input_shape: tuple[int, ...], parameters: dict[str, Any]) -> ModelSpec:
    """Return the spec of one convolution.

    Args:
        builder: `convolution`.
        input_shape: height and width of the image.
        parameters: `kernel`, and where they differ from 32, 32 and 1 `channels`, `filters` and `stride`; `second` of
            two convolutions, the other one having stride 1.

    Raises:
        UsageError: the builder or a parameter is unknown or out of bounds, or the network would be too large.
    """
    if builder != BUILDER:
        raise UsageError(f"unknown builder {builder!r}; the builder of single convolutions is {BUILDER!r}")
    only(parameters, ("kernel", "second", *_DEFAULTS))
    given = _DEFAULTS | parameters
    keys = [key for key in ("kernel", "second", *_DEFAULTS) if key in given or key == "kernel"]
    values = {key: whole_number(given, key, _MAX_VALUE) for key in keys}
    kernels = "_then_".join(str(values[key]) for key in ("kernel", "second") if key in values)
    stride = f"_stride{values['stride']}" if values["stride"] > 1 else ""
    name = f"{BUILDER}_{kernels}_{values['channels']}_{values['filters']}{stride}"
    spec = ModelSpec(name, f"{BUILDER}_{kernels}", SOURCE, BUILDER, (*input_shape[:2], values["channels"]), values)
    refuse_too_large(name, *_size(spec))
    return spec


def _size(spec: ModelSpec) -> tuple[int, int]:
    """Return the number of weights and of multiply-accumulates of an inference."""
    values, stride = spec.parameters, spec.parameters["stride"]
    output = (-(-spec.input_shape[0] // stride), -(-spec.input_shape[1] // stride))
    kernels = [(values["kernel"], values["kernel"], values["channels"], values["filters"])]
    if "second" in values:
        kernels.append((values["second"], values["second"], values["filters"], values["filters"]))
    weights = sum(a * b * channels * filters + filters for a, b, channels, filters in kernels)
    return weights, sum(convolution_macs(output, kernel) for kernel in kernels)


def build(spec: ModelSpec) -> keras.Model:
    """Return the network of `spec`."""
    from keras import Input, Model, layers

    values = spec.parameters
    inputs = Input(spec.input_shape, name="input")
    tensor = layers.Conv2D(values["filters"], values["kernel"], values["stride"], padding="same", name="conv")(inputs)
    if "second" in values:
        tensor = layers.Conv2D(values["filters"], values["second"], padding="same", name="second")(tensor)
    return Model(inputs, layers.GlobalAveragePooling2D(name="pool")(tensor), name=spec.name)
