"""Writing a campaign to a drive: all that a device needs that no network reaches."""

from __future__ import annotations

import gzip
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.bench.remote.description import Remote
from perfcast.bench.runner_file import RunnerFile
from perfcast.bench.tasks import is_repeated
from perfcast.bench.transport import RUNNER
from perfcast.errors import UsageError
from perfcast.export.bundle import GRAPH
from perfcast.storage import canonical_json, digest_of, digest_of_json, write_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from perfcast.bench.target import Target
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.stage import Export

BUNDLE, STARTER = "bundle.json", "run.py"
KEPT = "bundles"
"""The store's folder of what bundles were written from it."""
SCHEMA_VERSION = 1
_START = '''#!/usr/bin/env python3
"""Measure on this device: python3 run.py. Run it again to go on after an interruption."""

import os
import sys

folder = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(folder, "runner.pyz"))
sys.dont_write_bytecode = True

from perfcast_runner.drive import main

main(folder)
'''
_READ_ME = """perfcast: measure {count} models for {target}.

On the device, in this folder:      {python} run.py
Once more to go on, where it ended. Back here:   perfcast ingest {folder}
"""


@dataclass(frozen=True)
class Packed:
    """What was written: number of measurements, of graphs, and bytes of all files."""

    measurements: int
    graphs: int
    size_bytes: int


def write_drive(
    folder: Path, target: Target, description: dict[str, Any], exports: Sequence[Export], artifacts: ArtifactStore
) -> Packed:
    """Write all that a device needs to measure models into a new folder.

    What was measured before is not left out: what a device is, and so what was measured on it, it says only itself.

    Args:
        folder: which must not exist, or be empty.
        target: what to measure on.
        description: its description, from which it was made.
        exports: the models.
        artifacts: has them.

    Raises:
        UsageError: there is something in the folder, or the target is this machine.
        StoreError: an artifact is damaged, or the folder cannot be written.
    """
    if target.transport["kind"] == "local":
        raise UsageError(f"{target.name} is this machine: measure it here, or choose the target of another device")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: is not empty; name a new folder")
    remote = Remote.of_target(target.transport, target.architecture)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as aside:
        packed = _write(Path(aside) / "bundle", target, description, exports, artifacts, remote)
        (Path(aside) / "bundle" / "README.txt").write_text(
            _READ_ME.format(count=packed.measurements, target=target.name, python=remote.python, folder=folder)
        )
        if folder.exists():
            folder.rmdir()
        shutil.move(Path(aside) / "bundle", folder)
    return packed


def _write(
    folder: Path,
    target: Target,
    description: dict[str, Any],
    exports: Sequence[Export],
    artifacts: ArtifactStore,
    remote: Remote,
) -> Packed:
    (folder / "graphs").mkdir(parents=True)
    files = {}
    for export in exports:
        if export.artifact not in files:
            artifacts.verify(export.artifact)
            content = gzip.compress((artifacts.location(export.artifact) / GRAPH).read_bytes(), mtime=0)
            files[export.artifact] = f"graphs/{digest_of(content)}.pb.gz"
            write_bytes(folder / files[export.artifact], content)
    tasks = [
        _task(export, replicate, target, artifacts, files[export.artifact])
        for export, replicate in wanted(exports, target)
    ]
    container = remote.container.to_order() if remote.container else None
    bundle = {
        "schema_version": SCHEMA_VERSION,
        "nonce": secrets.token_hex(16),
        "target": {"name": target.name, "description": description},
        "exports": [export.to_dict() for export in exports],
        "container": container,
        "plan": _plan(target, tasks),
    }
    write_bytes(folder / BUNDLE, canonical_json(bundle))
    write_bytes(artifacts.root / KEPT / f"{digest_of(canonical_json(bundle))}.json", canonical_json(bundle))
    write_bytes(folder / "runner.pyz", RunnerFile.of(RUNNER).content)
    write_bytes(folder / STARTER, _START.encode())
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Packed(len(tasks), len(files), size)


def wanted(exports: Sequence[Export], target: Target) -> list[tuple[Export, int]]:
    """Return each export once, then the repetitions of some."""
    once = [export for export in exports if is_repeated(export.spec.model, target.replicates)]
    counts = range(1, target.replicates.count + 1)
    return [(export, 0) for export in exports] + [(export, count) for count in counts for export in once]


def _task(export: Export, replicate: int, target: Target, artifacts: ArtifactStore, graph: str) -> dict[str, Any]:
    tensors = artifacts.descriptor(export.artifact)["graph"]
    return {
        "key": task_id(export.artifact, replicate, target),
        "model": export.spec.model,
        "graph": graph,
        "inputs": tensors["inputs"],
        "outputs": tensors["outputs"],
        "seed": export.spec.seed,
        "resume": None,
        "alone": False,
    }


def task_id(artifact: str, replicate: int, target: Target) -> str:
    """Return what a measurement is called on a drive: its key here depends on what the device says of itself."""
    return digest_of_json({"artifact": artifact, "replicate": replicate, "target": target.name})


def _plan(target: Target, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "factors": target.factors | {"device_kind": target.device_kind},
        "protocol": target.protocol.to_dict(),
        "settings": target.settings,
        "sustained_s": target.sustained_s,
        "time_limit_s": target.time_limit_s,
        "seed": int(digest_of_json([task["key"] for task in tasks])[:8], 16),
        "tasks": tasks,
    }
