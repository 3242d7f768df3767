"""The store of artifacts: models exported once, named by the digest of their content, with their programs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.checksummed import ChecksummedStore
from perfcast.errors import StoreError
from perfcast.export.bundle import is_whole, read_bundle, write_bundle
from perfcast.export.program import Program
from perfcast.models.spec import DESCRIPTOR
from perfcast.storage import canonical_json, digest_of, sweep, write_bytes

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

EXPORT_VERSION = 2
_PROGRAM = {"format": str, "digest": str | None, "interface": dict | None, "reason": str}


@dataclass(frozen=True)
class ArtifactStore:
    """Artifacts below a folder: `artifacts/<digest>/model.json`, next to it the programs `<digest>.<format>`.

    `exports/<key>.json` leads to an artifact and `programs/<key>.json` to one of its programs: a key stands for all
    that something is made from, a digest for its content. Nothing is ever changed or deleted.
    """

    root: Path

    @property
    def exports(self) -> ChecksummedStore:
        """Which artifact each key was exported to."""
        return ChecksummedStore(self.root / "exports", EXPORT_VERSION, {"artifact": str})

    @property
    def programs(self) -> ChecksummedStore:
        """Which program each key was converted to, or why to none."""
        return ChecksummedStore(self.root / "programs", EXPORT_VERSION, _PROGRAM)

    def location(self, digest: str) -> Path:
        """Return the folder of the artifact ``digest``."""
        return self.root / "artifacts" / digest

    def program_path(self, artifact: str, program: Program) -> Path:
        """Return the file of one of an artifact's programs."""
        return self.location(artifact) / program.file

    def find_export(self, key: str) -> str | None:
        """Return the artifact that ``key`` was exported to, None if it is missing or damaged."""
        # A folder that cannot be looked into is an error of its own, not a missing export.
        record = self.exports.find(key) if self.exports.has(key) else None
        return record["artifact"] if record and self._has(record["artifact"], ()) else None

    def find_program(self, artifact: str, key: str) -> Program | None:
        """Return what was stored under a program's key, None if it is missing or damaged."""
        record = self.programs.find(key) if self.programs.has(key) else None
        program = Program(key=key, **{name: record[name] for name in _PROGRAM}) if record else None
        return program if program and self._has(artifact, [program]) else None

    def put(self, key: str, descriptor: dict[str, Any]) -> str:
        """Store an artifact without programs and that ``key`` leads to it; return its digest."""
        content = canonical_json(descriptor, indent=1)
        digest = digest_of(content)
        self._write(digest, {DESCRIPTOR: content})
        self.put_export(key, digest)
        return digest

    def put_export(self, key: str, digest: str) -> None:
        """Store that ``key`` leads to the artifact ``digest``."""
        self.exports.put(key, {"artifact": digest})

    def put_program(self, artifact: str, name: str, key: str, content: bytes, interface: dict[str, Any]) -> Program:
        """Store an artifact's program of the format ``name``, and that ``key`` leads to it."""
        program = Program(name, key, digest_of(content), interface)
        self._write(artifact, {program.file: content})
        self.put_record(program)
        return program

    def put_record(self, program: Program) -> None:
        """Store that a program's key leads to it, or to why there is none."""
        self.programs.put(program.key, {name: getattr(program, name) for name in _PROGRAM})

    def pack(self, artifacts: Iterable[tuple[str, Sequence[Program]]], path: str | os.PathLike[str]) -> None:
        """Write artifacts with these of their programs into one file.

        Raises:
            StoreError: one is missing or damaged.
        """
        write_bundle(path, ((digest, self._read(digest, _names(programs))) for digest, programs in artifacts))

    def unpack(self, artifacts: Iterable[tuple[str, Sequence[Program]]], path: str | os.PathLike[str]) -> None:
        """Take from a bundle those of these artifacts that the store lacks, or has damaged.

        Raises:
            StoreError: the bundle is damaged, or lacks one.
        """
        missing = {digest: _names(programs) for digest, programs in artifacts if not self._has(digest, programs)}
        for digest, files in read_bundle(path, missing) if missing else ():
            self._write(digest, files)

    def descriptor(self, digest: str) -> dict[str, Any]:
        """Return the descriptor of the artifact ``digest``, once its content is checked.

        Raises:
            StoreError: the artifact is missing, or differs from its digest.
        """
        descriptor: dict[str, Any] = json.loads(self._read(digest, [DESCRIPTOR])[DESCRIPTOR])
        return descriptor

    def verify(self, digest: str, programs: Sequence[Program]) -> None:
        """Check the content of an artifact and of some of its programs.

        Raises:
            StoreError: one is missing, or differs from its digest.
        """
        self._read(digest, _names(programs))

    def _has(self, digest: str, programs: Sequence[Program]) -> bool:
        try:
            self.verify(digest, programs)
        except StoreError:
            return False
        return True

    def _read(self, digest: str, names: Sequence[str]) -> dict[str, bytes]:
        folder = self.location(digest)
        try:
            files = {name: (folder / name).read_bytes() for name in names}
        except OSError as error:
            raise StoreError(f"{folder}: the artifact cannot be read ({error})") from error
        if not is_whole(digest, files):
            raise StoreError(f"{folder}: the content does not match its digest; run the workflow's export again")
        return files

    def sweep(self) -> None:
        """Delete what writers that were killed long ago left half-written."""
        for name in ("artifacts", "exports", "programs"):
            sweep(self.root / name)
        for folder in (self.root / "artifacts").glob("[!.]*"):
            sweep(folder)

    def _write(self, digest: str, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.location(digest) / name
            if not (path.is_file() and path.read_bytes() == data):
                write_bytes(path, data)


def _names(programs: Sequence[Program]) -> list[str]:
    return [DESCRIPTOR, *(program.file for program in programs if program.digest)]
