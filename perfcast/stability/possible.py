"""Latencies that no device of this speed can reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OPERATIONS_PER_MAC = 2
FEWER_MULTIPLICATIONS = 4.0
"""By how much a clever algorithm can undercut the multiply-accumulates as counted. Winograd's F(2×2, 3×3) saves
2.25 times, the largest in common use, F(4×4, 3×3), 4 times (A. Lavin, S. Gray, "Fast algorithms for convolutional
neural networks", 2016)."""
FASTER_THAN_SEEN = 1.5
"""The device may do better than it was seen to: its best matrix product is another kernel's, at another clock."""
CACHE_SHARE = 10.0
"""Weights that stay in caches from one inference to the next come faster than memory gives them: caches read up to
10 times as fast. The limit on reading is only ever reached by weights that are far larger than caches."""


def impossible(latency_ms: float, macs: float, weight_bytes: float, limits: Mapping[str, float] | None) -> str | None:
    """Return in words why no inference can take ``latency_ms`` on a device, None where one can.

    Args:
        latency_ms: time of one batch in ms.
        macs: multiply-accumulates of that batch.
        weight_bytes: bytes of the weights, each read at least once.
        limits: `flops_per_s` and `bytes_per_s`, the best that the device was seen to do; None where not measured.
    """
    if limits is None:
        return None
    seconds = latency_ms / 1e3
    rate = OPERATIONS_PER_MAC * macs / seconds
    most = limits["flops_per_s"]
    if rate > most * FEWER_MULTIPLICATIONS * FASTER_THAN_SEEN:
        return (
            f"{latency_ms:.3g} ms for {macs / 1e9:.3g} billion multiply-accumulates would be "
            f"{rate / 1e9:,.0f} GFLOP/s; the device's best is {most / 1e9:,.0f} GFLOP/s"
        )
    speed = weight_bytes / seconds
    if speed > limits["bytes_per_s"] * CACHE_SHARE:
        return (
            f"{latency_ms:.3g} ms for reading {weight_bytes / 1e6:.3g} MB of weights would be "
            f"{speed / 1e9:,.0f} GB/s; the device's best is {limits['bytes_per_s'] / 1e9:,.0f} GB/s"
        )
    return None
