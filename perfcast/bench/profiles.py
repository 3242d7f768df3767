"""Profiles: how long each operation of a step took, by operation and layer, and how that adds up to the step."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

KEYS = ("model", "target", "device", "toolchain", "toolchain_version", "workload", "optimizer", "threads", "batch")
"""What was profiled where; `optimizer` is empty for workloads without one."""
STEP = ("steps", "step_ms", "traced_ms", "busy_ms")
"""Of the whole step: how many were traced, its median time without tracing, and means of the faster half of the traced:
its time, and for how long at least one operation computed."""
COLUMNS = (*KEYS, *STEP, "operation", "layer", "calls", "time_ms")
"""Of a profile, one row per operation and layer; `calls` and `time_ms` (summed over threads) are means of
the same steps."""

_NUMBERED = re.compile(r"_\d+\Z")
_MS = 1e-6


def profile_table(
    about: Mapping[str, Any], untraced_ns: Sequence[int], traces: Sequence[Mapping[str, Any]], layers: Iterable[str]
) -> pd.DataFrame:
    """Return the profile of one model (`COLUMNS`), the most expensive operation first.

    Args:
        about: a value for each of `KEYS`.
        untraced_ns: times of steps that were not traced.
        traces: as `Toolchain.trace` returns each. The faster half of them counts: a step that the machine held up for
            a while would name the operation that it met.
        layers: names of the model's layers.
    """
    calm = sorted(traces, key=lambda trace: trace["wall_ns"])[: (len(traces) + 1) // 2]
    operations = [operation for trace in calm for operation in trace["operations"]]
    layer_of = layers_of_nodes({operation["node"] for operation in operations}, frozenset(layers))
    rows = pd.DataFrame(
        {
            "operation": [operation["operation"] for operation in operations],
            "layer": [layer_of[operation["node"]] for operation in operations],
            "time_ms": [(operation["end_ns"] - operation["start_ns"]) * _MS for operation in operations],
        }
    )
    found = rows.groupby(["operation", "layer"], sort=True)["time_ms"].agg(calls="count", time_ms="sum").reset_index()
    found[["calls", "time_ms"]] /= len(calm)
    whole = {
        "steps": len(traces),
        "step_ms": float(np.median(untraced_ns)) * _MS,
        "traced_ms": float(np.mean([trace["wall_ns"] for trace in calm])) * _MS,
        "busy_ms": float(np.mean([busy_ns(trace["operations"]) for trace in calm])) * _MS,
    }
    ordered = found.sort_values("time_ms", ascending=False, kind="stable", ignore_index=True)
    return ordered.assign(**about, **whole)[list(COLUMNS)]


def busy_ns(operations: Iterable[Mapping[str, Any]]) -> int:
    """Return for how long at least one of some operations computed."""
    total = end = 0
    for start, stop in sorted((operation["start_ns"], operation["end_ns"]) for operation in operations):
        total += max(0, stop - max(start, end))
        end = max(end, stop)
    return total


def layers_of_nodes(nodes: Collection[str], layers: Collection[str]) -> dict[str, str]:
    """Return the layer of each node of a graph, by name; empty of one outside of all layers.

    A node's name is a path with its layer in it. Tracing a model again numbers all layers, `conv1_1`: of names that may
    be read either way, the way is right that finds more layers.
    """
    ways = [{node: _layer_in(node, layers, numbered=numbered) for node in nodes} for numbered in (False, True)]
    return max(ways, key=lambda way: len(set(way.values())))


def _layer_in(node: str, layers: Collection[str], *, numbered: bool) -> str:
    parts = [_NUMBERED.sub("", part) if numbered else part for part in node.split("/")]
    return next((part for part in reversed(parts) if part in layers), "")
