"""The store of artifacts: models exported once, named by the digest of their content."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.checksummed import ChecksummedStore
from perfcast.errors import StoreError
from perfcast.export.bundle import FILES, GRAPH, artifact_digest, read_bundle, write_bundle
from perfcast.models.spec import DESCRIPTOR
from perfcast.storage import canonical_json, sweep, write_bytes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping


EXPORT_VERSION = 1


@dataclass(frozen=True)
class ArtifactStore:
    """Artifacts below a folder: `artifacts/<digest>/{graph.pb,model.json}` and `exports/<key>.json`.

    An export's key stands for everything that an artifact is made from; the artifact's digest is that of its
    content. Nothing is ever changed or deleted.
    """

    root: Path

    @property
    def exports(self) -> ChecksummedStore:
        """Which artifact each key was exported to."""
        return ChecksummedStore(self.root / "exports", EXPORT_VERSION, {"artifact": str})

    def location(self, digest: str) -> Path:
        """Return the folder of the artifact ``digest``."""
        return self.root / "artifacts" / digest

    def graph(self, digest: str) -> Path:
        """Return the file of the graph of the artifact ``digest``."""
        return self.location(digest) / GRAPH

    def find_export(self, key: str) -> str | None:
        """Return the artifact that ``key`` was exported to, None if it is absent or damaged."""
        # A folder that cannot be looked into is an error of its own, not an absent export.
        record = self.exports.find(key) if self.exports.has(key) else None
        return record["artifact"] if record and self._has(record["artifact"]) else None

    def put(self, key: str, graph: bytes, descriptor: dict[str, Any]) -> str:
        """Store an artifact and that ``key`` leads to it; return its digest."""
        files = {GRAPH: graph, DESCRIPTOR: canonical_json(descriptor, indent=1)}
        digest = artifact_digest(files)
        self._write(digest, files)
        self.put_export(key, digest)
        return digest

    def put_export(self, key: str, digest: str) -> None:
        """Store that ``key`` leads to the artifact ``digest``."""
        self.exports.put(key, {"artifact": digest})

    def pack(self, digests: Iterable[str], path: str | os.PathLike[str]) -> None:
        """Write these artifacts into one file.

        Raises:
            StoreError: one is absent or damaged.
        """
        write_bundle(path, ((digest, self._read(digest)) for digest in digests))

    def unpack(self, digests: Iterable[str], path: str | os.PathLike[str]) -> None:
        """Take from a bundle those of these artifacts that the store lacks, or has damaged.

        Raises:
            StoreError: the bundle is damaged, or lacks one.
        """
        missing = [digest for digest in digests if not self._has(digest)]
        for digest, files in read_bundle(path, missing) if missing else ():
            self._write(digest, files)

    def descriptor(self, digest: str) -> dict[str, Any]:
        """Return the descriptor of the artifact ``digest``, once its content is checked.

        Raises:
            StoreError: the artifact is absent, or differs from its digest.
        """
        descriptor: dict[str, Any] = json.loads(self._read(digest)[DESCRIPTOR])
        return descriptor

    def verify(self, digest: str) -> None:
        """Check an artifact's content.

        Raises:
            StoreError: the artifact is absent, or differs from its digest.
        """
        self._read(digest)

    def _has(self, digest: str) -> bool:
        try:
            self.verify(digest)
        except StoreError:
            return False
        return True

    def _read(self, digest: str) -> dict[str, bytes]:
        folder = self.location(digest)
        try:
            files = {name: (folder / name).read_bytes() for name in FILES}
        except OSError as error:
            raise StoreError(f"{folder}: the artifact cannot be read ({error})") from error
        if artifact_digest(files) != digest:
            raise StoreError(f"{folder}: the content does not match its digest; run the workflow's export again")
        return files

    def sweep(self) -> None:
        """Delete what writers that were killed long ago left half-written."""
        sweep(self.root / "artifacts")
        self.exports.sweep()

    def _write(self, digest: str, files: Mapping[str, bytes]) -> None:
        target = self.location(digest)
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".new-", dir=target.parent))
        try:
            for name, data in files.items():
                write_bytes(aside / name, data)
            aside.chmod(0o755)
            _move_into_place(aside, target, lambda: self.verify(digest))
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _move_into_place(aside: Path, target: Path, check: Any) -> None:
    try:
        aside.rename(target)
    except OSError:
        try:
            check()  # Another process was first, with the same content.
        except StoreError:
            shutil.rmtree(target)
            aside.rename(target)
