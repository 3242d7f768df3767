"""Poolings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.formats.keras_json.call import Outcome
from perfcast.formats.keras_json.rules.geometry import behind_window, join, split

if TYPE_CHECKING:
    from perfcast.formats.keras_json.call import Call


def _canonical(kind: str) -> str:
    kind = kind.replace("AvgPool", "AveragePool")
    return kind if "Pooling" in kind else kind.replace("Pool", "Pooling")


def _rank(call: Call) -> int:
    return int(call.kind[-2])


def _pooling(call: Call) -> Outcome:
    rank, settings = _rank(call), call.settings
    spatial, channels = split(call, rank)
    window = settings.sizes("pool_size", rank, 2)
    strides = settings.sizes("strides", rank, window)
    found = behind_window(call, spatial, window, strides)
    return Outcome((join(call, found, channels),), kernel=window, strides=strides, kind=_canonical(call.kind))


def _global_pooling(call: Call) -> Outcome:
    rank = _rank(call)
    _, channels = split(call, rank)
    kept = call.settings.flag("keepdims", False)
    shape = join(call, (1,) * rank, channels) if kept else (call.shape[0], channels)
    return Outcome((shape,), kind=_canonical(call.kind))


def _adaptive_pooling(call: Call) -> Outcome:
    rank = _rank(call)
    _, channels = split(call, rank)
    return Outcome((join(call, call.settings.sizes("output_size", rank), channels),))


_RANKS = ("1D", "2D", "3D")
_KINDS = ("MaxPooling", "AveragePooling", "MaxPool", "AvgPool")

RULES = (
    {f"{kind}{rank}": _pooling for kind in _KINDS for rank in _RANKS}
    | {f"Global{kind}{rank}": _global_pooling for kind in _KINDS for rank in _RANKS}
    | {f"Adaptive{kind}{rank}": _adaptive_pooling for kind in _KINDS[:2] for rank in _RANKS}
)
"""Rules by class."""
