"""Writing an offline bundle: all that a device needs that no network reaches."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.bench.plans import plan_entry, plan_of, program_of, programs_of
from perfcast.bench.remote.description import Remote
from perfcast.bench.remote.upload import packed
from perfcast.bench.runner_file import RunnerFile
from perfcast.bench.tasks import wanted
from perfcast.bench.transport import RUNNER, placed
from perfcast.checksummed import ChecksummedStore
from perfcast.errors import UsageError
from perfcast.runner.protocol import BUNDLE, BUNDLE_VERSION, PROGRAMS, RUNNER_FILE, STARTER
from perfcast.storage import canonical_json, digest_of_json, write_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from perfcast.bench.target import Target
    from perfcast.export.artifacts import ArtifactStore
    from perfcast.export.exports import Export

KEPT_VERSION = 1
PART = "part-"
"""What begins the name of the folder of each factor set, where a bundle has several."""
_START = f'''#!/usr/bin/env python3
"""Measure on this device: python3 {STARTER}. Run it again to go on after an interruption."""

import os
import sys

folder = os.path.dirname(os.path.abspath(__file__))
parts = sorted(name for name in os.listdir(folder) if name.startswith("{PART}"))
sys.path.insert(0, os.path.join(folder, "{RUNNER_FILE}"))
sys.dont_write_bytecode = True

from perfcast.runner.offline import main

for number, part in enumerate(parts, 1):
    sys.stderr.write("factors %d of %d\\n" % (number, len(parts)))
    main(folder, part)
if not parts:
    main(folder)
'''
_READ_ME = """perfcast: measure {count} models for {target}.

On the device, in this folder:      {python} {starter}
Once more to go on, where it ended. Back here:   perfcast ingest {folder}
"""


def kept_bundles(root: Path) -> ChecksummedStore:
    """Return the bundles that were written from a store, by their names: the digest of their content."""
    return ChecksummedStore(root / "bundles", KEPT_VERSION, {"bundle": dict})


@dataclass(frozen=True)
class Packed:
    """What was written: number of measurements, of graphs, and bytes of all files."""

    measurements: int
    graphs: int
    size_bytes: int


def write_bundle(
    folder: Path, target: Target, description: dict[str, Any], exports: Sequence[Export], artifacts: ArtifactStore
) -> Packed:
    """Write all that a device needs to measure models into a new folder.

    Models that were measured before are included: only the device itself knows its environment.

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
    if target.is_local:
        raise UsageError(f"{target.name} is this machine; measure it directly, or choose the target of another device")
    remote = Remote.of_target(target.transport, target.architecture)
    with _new_folder(folder) as aside:
        packed = _write_parts(aside, target, description, exports, artifacts)
        names = {"target": target.name, "python": remote.python, "starter": STARTER, "folder": folder}
        read_me = _READ_ME.format(count=packed.measurements, **names)
        write_bytes(aside / "README.txt", read_me.encode("utf-8", "replace"))
    return packed


def _write_parts(
    folder: Path, target: Target, description: dict[str, Any], exports: Sequence[Export], artifacts: ArtifactStore
) -> Packed:
    """Write programs and runner into a folder, and what to measure: of several factor sets into a folder each."""
    parts = target.parts()
    programs = {name: path for part in parts for name, path in programs_of(artifacts, exports, part).items()}
    files = packed(programs)
    (folder / PROGRAMS).mkdir()
    for name, content in files.values():
        write_bytes(folder / PROGRAMS / name, content)
    write_bytes(folder / RUNNER_FILE, RunnerFile.of(RUNNER).content)
    write_bytes(folder / STARTER, _START.encode())
    places = {name: f"{PROGRAMS}/{file}" for name, (file, _) in files.items()}
    count = 0
    for number, part in enumerate(parts, 1):
        beside = folder / f"{PART}{number:04}" if len(parts) > 1 else folder
        beside.mkdir(exist_ok=True)
        fixed = description | {"factors": {"fixed": part.factors}} if len(parts) > 1 else description
        bundle = _bundle(part, fixed, exports, places)
        write_bytes(beside / BUNDLE, canonical_json(bundle))
        kept_bundles(artifacts.root).put(digest_of_json(bundle), {"bundle": bundle})
        count += len(bundle["plan"]["tasks"])
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return Packed(count, len(files), size)


@contextlib.contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yield a folder to write to; what is in it is moved to ``folder`` at the end, the bundle last.

    ``folder`` may be there, such as an external drive's own: it is not replaced, and left as it was where this fails.

    Raises:
        UsageError: it cannot be made, or is not empty.
    """
    try:
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError(f"{folder}: is not empty; name a new folder")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be created ({error.strerror}); name another folder") from error
    try:
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder) as aside:
            yield Path(aside)
            for path in sorted(Path(aside).iterdir(), key=lambda path: path.name == BUNDLE):
                path.rename(folder / path.name)
    except BaseException:
        if is_new:
            shutil.rmtree(folder)
        raise


def _bundle(
    target: Target, description: dict[str, Any], exports: Sequence[Export], places: Mapping[str, str]
) -> dict[str, Any]:
    """Return what to measure under one factor set, with programs at their ``places`` in the folder."""
    remote = Remote.of_target(target.transport, target.architecture)
    entries = [
        plan_entry(task_id(export.artifact, replicate, target), export, program) | {"model": export.spec.model}
        for export, replicate in wanted(exports, target)
        if (program := program_of(export, target)).digest
    ]
    return {
        "schema_version": BUNDLE_VERSION,
        "nonce": secrets.token_hex(16),
        "target": {"name": target.name, "description": description},
        "exports": [export.to_dict() for export in exports],
        "container": remote.container.to_order() if remote.container else None,
        "plan": placed(plan_of(target, entries), places),
    }


def task_id(artifact: str, replicate: int, target: Target) -> str:
    """Return what a measurement is called in a bundle: its key here depends on what the device says of itself."""
    return digest_of_json({"artifact": artifact, "replicate": replicate, "target": target.name})
