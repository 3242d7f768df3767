"""Types of tensors, as far as the text gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from perfcast.formats.keras_json.settings import Settings

_FLOATS = ("float16", "bfloat16", "float32", "float64")
_WHOLE = ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
KNOWN = frozenset((*_FLOATS, *_WHOLE, "string", "complex64", "complex128"))
"""Names of types."""

_COMPUTED_IN = {"mixed_float16": "float16", "mixed_bfloat16": "bfloat16"}
_DEFAULT = "float32"


def dtype_of(settings: Settings) -> str:
    """Return the type that a layer computes in: `float16` of the policy `mixed_float16`."""
    value = settings.get("dtype")
    while isinstance(value, dict):
        config = value.get("config")
        value = config.get("name", config.get("dtype")) if isinstance(config, dict) else None
    name = _COMPUTED_IN.get(value, value) if isinstance(value, str) else _DEFAULT
    return name if name in KNOWN else _DEFAULT


def quantised(settings: Settings) -> str | None:
    """Return how a layer's weights are quantised, as `int8`; None where they are not."""
    value = settings.get("dtype")
    if isinstance(value, str):
        return value.partition("_from_")[0][:20] if "_from_" in value else None
    config = value.get("config") if isinstance(value, dict) else None
    mode = config.get("mode") if isinstance(config, dict) else None
    return mode[:20] if isinstance(mode, str) else None


def is_float(dtype: str) -> bool:
    """Tell whether numbers of a type have fractions."""
    return dtype in _FLOATS


def promoted(dtypes: Iterable[str]) -> str:
    """Return the type of what is computed of several: a fraction's where there is one, else the widest."""
    ranked = (*_WHOLE, *_FLOATS)
    known = [ranked.index(dtype) for dtype in dtypes if dtype in ranked]
    return ranked[max(known)] if known else _DEFAULT
