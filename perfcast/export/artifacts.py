"""The store of artifacts: models exported once, named by the digest of their content."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perfcast.errors import StoreError
from perfcast.storage import canonical_json, digest_of, digest_of_json, read_json, write_bytes, write_json


@dataclass(frozen=True)
class ArtifactStore:
    """Artifacts below a folder: `artifacts/<digest>/{graph.pb,model.json}` and `exports/<key>.json`.

    An export's key stands for everything that an artifact is made from; the artifact's digest is that of its
    content. Nothing is ever changed or deleted.
    """

    root: Path

    def location(self, digest: str) -> Path:
        """Return the folder of the artifact ``digest``."""
        return self.root / "artifacts" / digest

    def find_export(self, key: str) -> str | None:
        """Return the artifact that ``key`` was exported to, None if it is absent or damaged."""
        record = self.root / "exports" / f"{key}.json"
        if not record.exists():
            return None
        try:
            digest = str(read_json(record)["artifact"])
            self.verify(digest)
        except (StoreError, KeyError, TypeError):
            return None
        return digest

    def put(self, key: str, graph: bytes, descriptor: dict[str, Any]) -> str:
        """Store an artifact and that ``key`` leads to it; return its digest."""
        text = canonical_json(descriptor, indent=1)
        digest = _content_digest(graph, text)
        self._write(digest, {"graph.pb": graph, "model.json": text})
        write_json(self.root / "exports" / f"{key}.json", {"artifact": digest})
        return digest

    def descriptor(self, digest: str) -> dict[str, Any]:
        """Return the descriptor of the artifact ``digest``, once its content is checked.

        Raises:
            StoreError: the artifact is absent, or differs from its digest.
        """
        self.verify(digest)
        descriptor: dict[str, Any] = read_json(self.location(digest) / "model.json")
        return descriptor

    def verify(self, digest: str) -> None:
        """Check an artifact's content.

        Raises:
            StoreError: the artifact is absent, or differs from its digest.
        """
        folder = self.location(digest)
        try:
            graph, text = (folder / "graph.pb").read_bytes(), (folder / "model.json").read_bytes()
        except OSError as error:
            raise StoreError(f"{folder}: the artifact cannot be read ({error})") from error
        if _content_digest(graph, text) != digest:
            raise StoreError(f"{folder}: the content does not match its digest; run the workflow's export again")

    def _write(self, digest: str, files: dict[str, bytes]) -> None:
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


def _content_digest(graph: bytes, text: bytes) -> str:
    return digest_of_json({"graph.pb": digest_of(graph), "model.json": digest_of(text)})
