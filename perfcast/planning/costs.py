"""What measuring a model costs, estimated from its features: time besides the inferences, latency, memory.

The constants are rounded from least-squares fits of relative error to campaigns of 108 models on two cores of an
x86-64 server (`benchmarks/plan.py` prints those of a campaign of one's own). They are for orders of magnitude: what a
target's predictor predicts takes their place once there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.runner.toolchains import TOOLCHAINS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


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
    """Return the peak memory of loading and of running each model, above that of a model that does nothing."""
    loading, running = TOOLCHAINS[factors["toolchain"]].weight_copies(factors)
    return _peak_mb(features, loading, factors["batch"]), _peak_mb(features, running, factors["batch"])


def _peak_mb(features: pd.DataFrame, copies: float, batch: int) -> pd.Series:
    activations = 4.0 * batch * features["peak_activation_bytes"] * _MB
    return copies * features["weight_bytes"] * _MB + activations + 0.4 * features["fused_layers"]
