"""Plans: what a runner is asked for, whichever way the plan gets there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from pathlib import Path

    from perfcast.bench.target import Target
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export


def plan_of(target: Target, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the plan of a target's tasks, without `environments` and `calibration_floor_ns`: what earlier runs found.

    Args:
        target: what to measure on.
        entries: as `plan_entry` returns each.
    """
    return {
        "factors": target.factors | {"device_kind": target.device_kind},
        "protocol": target.protocol.to_dict(),
        "settings": target.settings,
        "soak_s": target.soak_s,
        "time_limit_s": target.time_limit_s,
        "seed": int(digest_of_json(sorted(entry["key"] for entry in entries))[:8], 16),
        "tasks": entries,
    }


def plan_entry(key: str, export: Export, artifacts: ArtifactStore) -> dict[str, Any]:
    """Return a task as a plan has it, of a model that was not visited before; its graph is named by the artifact.

    Raises:
        StoreError: the artifact is absent or damaged.
    """
    graph = artifacts.descriptor(export.artifact)["graph"]
    return {
        "key": key,
        "program": export.artifact,
        "inputs": graph["inputs"],
        "outputs": graph["outputs"],
        "seed": export.spec.seed,
        "resume": None,
        "alone": False,
    }


def graphs_of(artifacts: ArtifactStore, exports: list[Export]) -> dict[str, Path]:
    """Return the files of the graphs that a plan of these exports names, by these names."""
    return {name: artifacts.graph(name) for name in sorted({export.artifact for export in exports})}
