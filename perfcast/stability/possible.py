"""Latencies that no device of this speed can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perfcast.network.macs import FLOPS_PER_MAC

if TYPE_CHECKING:
    from collections.abc import Mapping

FEWER_MULTIPLICATIONS = 4.0
"""By how much an algorithm can undercut multiply-accumulates as counted: of 3×3 convolutions Winograd's F(2×2, 3×3)
needs 2.25 times fewer multiplications, F(4×4, 3×3) 4 times (A. Lavin, S. Gray, "Fast algorithms for convolutional
neural networks", 2016). Larger tiles lose the digits of a float."""
FASTER_THAN_SEEN = 1.5
"""The device may do better than it was seen to: another kernel, a higher clock, no neighbours."""
FASTER_READING = 2.0
"""The rate of reading is the best of caches and memory. Weights may stay in a cache that is faster still, the
innermost one."""


def impossible(latency_ms: float, macs: float, weight_bytes: float, peaks: Mapping[str, float] | None) -> str | None:
    """Return in words why no inference can take only ``latency_ms`` on a device, None where one can.

    Args:
        latency_ms: time of one batch in ms, above 0.
        macs: multiply-accumulates of that batch.
        weight_bytes: bytes of the weights, each of which is read at least once.
        peaks: `flops_per_s` and `bytes_per_s`, the best that the device was seen to do; None where not measured.
    """
    if peaks is None:
        return None
    seconds = latency_ms / 1e3
    rate, most = FLOPS_PER_MAC * macs / seconds, peaks["flops_per_s"]
    if rate > most * FEWER_MULTIPLICATIONS * FASTER_THAN_SEEN:
        return (
            f"{latency_ms:.3g} ms for {macs / 1e9:.3g} billion multiply-accumulates is {rate / 1e9:,.0f} GFLOP/s; "
            f"the device reached {most / 1e9:,.0f} at best"
        )
    speed, fastest = weight_bytes / seconds, peaks["bytes_per_s"]
    if speed > fastest * FASTER_READING:
        return (
            f"{latency_ms:.3g} ms for reading {weight_bytes / 1e6:.3g} MB of weights is {speed / 1e9:,.0f} GB/s; "
            f"the device reached {fastest / 1e9:,.0f} at best"
        )
    return None
