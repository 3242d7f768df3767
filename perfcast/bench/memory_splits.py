"""What a training step holds at its peak, by layer and kind: the schedule's answer for a model that is profiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.bench.profiles import KEYS
from perfcast.network.training_allocator import allocator_peak_bytes
from perfcast.network.training_memory import training_peak

if TYPE_CHECKING:
    from collections.abc import Mapping

    from perfcast.bench.profiling import Subject

COLUMNS = (*KEYS, "peak_layer", "peak_operation", "allocator_mb", "layer", "kind", "size_mb")
"""Of a split, one row per layer and kind (see `perfcast.network.training_memory`) that holds something at the peak:
`peak_layer` runs then, `forward` or `backward` (`peak_operation`); `allocator_mb` is the predicted peak of the
allocator, with its slack and without small tensors; sizes are in 10^6 bytes."""
_MB = 1e-6
_SPLIT = "training_step"


def has_split(factors: Mapping[str, Any]) -> bool:
    """Tell whether a factor set has a split: the schedule is one of whole training steps."""
    return factors["workload"] == _SPLIT and factors["trained"] == "all"


def split_of(subject: Subject, descriptor: Mapping[str, Any]) -> pd.DataFrame | None:
    """Return the split (`COLUMNS`) of a model's training step, the largest part first.

    None where there is none (see `has_split`).

    Args:
        subject: the model under its factor set.
        descriptor: of the model.
    """
    factors = subject.factors
    if not has_split(factors):
        return None
    outputs = [port["name"] for port in descriptor["outputs"]]
    asked = descriptor["layers"], outputs, factors["batch"], factors["optimizer"]
    peak = training_peak(*asked)
    parts = sorted(peak.shares.items(), key=lambda part: -part[1])
    rows = [{"layer": layer, "kind": kind, "size_mb": count * _MB} for (layer, kind), count in parts]
    where = {"peak_layer": peak.layer, "peak_operation": peak.operation}
    return pd.DataFrame(rows).assign(**subject.about, **where, allocator_mb=allocator_peak_bytes(*asked) * _MB)[
        list(COLUMNS)
    ]
