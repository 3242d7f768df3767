"""The descriptor of a network, `model.json`: its version, what identifies the model, and what a valid one is."""

from __future__ import annotations

import math
from typing import Any

from perfcast.errors import DataError
from perfcast.schema import first_problem, load

SCHEMA_VERSION = 1
"""The version of `model.json` that this module writes."""

MAX_COUNT = 2**53 - 1
"""The most elements, weights or multiply-accumulates of anything: numbers above it are not exact as 64-bit floats."""


def validate_descriptor(descriptor: Any) -> None:
    """Refuse what is not a descriptor of a network.

    Beside the published schema: layers' names are unique, each reads only layers listed before it (so there
    is no cycle), shapes of inputs and of the layers they come from agree, no number is too large to be exact.

    Raises:
        DataError: it is not one; one line that says where and why.
    """
    _check_version(descriptor)
    if problem := first_problem(descriptor, load("model.schema.json")):
        place = "".join(f"[{part!r}]" for part in problem.path)
        raise DataError(f"descriptor{place}: {problem.text}")
    _check_links(descriptor)


def _check_version(descriptor: Any) -> None:
    version = descriptor.get("schema_version") if isinstance(descriptor, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise DataError(
            f"descriptor['schema_version'] is above {SCHEMA_VERSION}: written by a newer perfcast; "
            "update perfcast to read it"
        )


def _check_links(descriptor: dict[str, Any]) -> None:
    returned: dict[str, list[list[int]]] = {}
    for layer in descriptor["layers"]:
        name = layer["name"]
        if name in returned:
            raise DataError(f"descriptor: two layers are named {name[:80]!r}")
        _check_inputs(layer, returned)
        if layer["filters"] is not None and layer["units"] is not None:
            raise DataError(f"descriptor: layer {name[:80]!r} has filters and units; it can have only one")
        if layer["trainable_parameters"] > layer["parameters"]:
            raise DataError(f"descriptor: layer {name[:80]!r} has more trainable parameters than parameters")
        for shape in layer["output_shapes"]:
            if math.prod(shape) > MAX_COUNT:
                raise DataError(f"descriptor: the output of layer {name[:80]!r} is too large: {shape}")
        returned[name] = layer["output_shapes"]
    for port in (*descriptor["inputs"], *descriptor["outputs"]):
        if port["shape"] not in returned.get(port["name"], []):
            raise DataError(f"descriptor: no layer {port['name'][:80]!r} returns shape {port['shape']}")


def _check_inputs(layer: dict[str, Any], returned: dict[str, list[list[int]]]) -> None:
    name = layer["name"][:80]
    if len(layer["inputs"]) != len(layer["input_shapes"]):
        raise DataError(f"descriptor: layer {name!r} must have as many input_shapes as inputs")
    for read, shape in zip(layer["inputs"], layer["input_shapes"], strict=True):
        if read not in returned:
            raise DataError(f"descriptor: layer {name!r} reads {read[:80]!r}, which is not a layer before it")
        if shape not in returned[read]:
            raise DataError(f"descriptor: layer {name!r} reads shape {shape}, which {read[:80]!r} does not return")
