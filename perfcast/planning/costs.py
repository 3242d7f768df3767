"""What measuring a model costs, estimated from its features: time besides the inferences, latency, memory.

The constants are rounded from least-squares fits of relative error to campaigns of 108 models on two cores of an
x86-64 server (`benchmarks/plan.py` prints those of a campaign of one's own). They are for orders of magnitude: what a
target's predictor predicts takes their place once there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from perfcast.network.training_memory import STATE_COPIES, training_peak
from perfcast.runner.toolchains import TOOLCHAINS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


START_S = 6.0
"""Starting the runtime, measuring the null model and what the device can do at most, once a shard."""

VISIT_S = 0.04
"""The calibration workload around a visit, and storing what came of it."""

NULL_MB = 330.0
"""A process that runs a model which does nothing."""

_MB = 1e-6
_GB = 1e-9
_GIGA = 1e-9


def overhead_s(features: pd.DataFrame, visits: float | pd.Series) -> pd.Series:
    """Return the seconds that measuring each model once takes besides its timed inferences: it is loaded once."""
    once = 0.06 + 0.003 * features["fused_layers"] + 16.0 * features["weight_bytes"] * _GB
    return once + VISIT_S * visits


def latency_ms(features: pd.DataFrame, threads: int) -> pd.Series:
    """Return a guess of each model's latency on a CPU: so much a layer, a floating-point operation and a byte."""
    moved = 15.0 * features["fused_moved_bytes"] * _GB
    return 0.02 * features["fused_layers"] + 4.0 / threads * features["flops"] * _GIGA + moved


def peaks_mb(features: pd.DataFrame, factors: Mapping[str, Any]) -> tuple[pd.Series, pd.Series]:
    """Return the peak memory of loading a model and of its inferences, above that of a model that does nothing."""
    loading, running = TOOLCHAINS[factors["toolchain"]].weight_copies(factors)
    return _peak_mb(features, loading, factors["batch"]), _peak_mb(features, running, factors["batch"])


def _peak_mb(features: pd.DataFrame, copies: float, batch: int) -> pd.Series:
    activations = 4.0 * batch * features["peak_activation_bytes"] * _MB
    return copies * features["weight_bytes"] * _MB + activations + 0.4 * features["fused_layers"]


def training_peaks_mb(descriptors: Iterable[Mapping[str, Any]], factors: Mapping[str, Any]) -> pd.Series:
    """Return the peak memory of each model's training steps; loading takes less, as their weights are variables.

    All weights count as trained.
    """
    optimizer = factors.get("optimizer")
    known = optimizer if optimizer in STATE_COPIES else "sgd"  # Without an update there is no state, either.
    return pd.Series([_training_peak_mb(descriptor, factors["batch"], known) for descriptor in descriptors])


def _training_peak_mb(descriptor: Mapping[str, Any], batch: int, optimizer: str) -> float:
    outputs = {port["name"] for port in descriptor["outputs"]}
    return training_peak(descriptor["layers"], outputs, batch, optimizer).bytes * _MB
