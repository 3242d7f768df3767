"""The one store of JSON records: a file per key below a folder, each with a checksum that shows damage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from perfcast.errors import NewerRecordError, StoreError
from perfcast.storage import digest_of_json, read_json, sweep, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import UnionType


@dataclass(frozen=True)
class ChecksummedStore:
    """Records by key: `<folder>/<key>.json`, each written whole or not at all.

    Attributes:
        folder: of all records of a kind.
        version: the `schema_version` that records are written with, and the newest that is read.
        kinds: the type of each further value of a record that is checked when it is read.
    """

    folder: Path
    version: int
    kinds: Mapping[str, type | UnionType] = field(default_factory=dict)

    def put(self, key: str, values: Mapping[str, Any]) -> None:
        """Store a record in the place of the one before.

        Raises:
            StoreError: it cannot be written; the one before stays.
        """
        record = {**values, "schema_version": self.version, "key": key}
        write_json(self.path(key), {"checksum": digest_of_json(record), "record": record})

    def read(self, key: str) -> dict[str, Any]:
        """Return a record.

        Raises:
            NewerRecordError: a newer version of perfcast wrote it.
            StoreError: it is absent or damaged, or another one under this name.
        """
        path = self.path(key)
        entry = read_json(path)
        try:
            record: dict[str, Any] = dict(entry["record"])
            matches = digest_of_json(record) == entry["checksum"]
            wanted = {"schema_version": int, "key": str} | dict(self.kinds)
            whole = all(isinstance(record[name], kind) for name, kind in wanted.items())
        # Not of these keys, or of values such as NaN and lone surrogates, which nothing is written with.
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{path}: not a record of perfcast") from error
        if not (matches and whole):
            raise StoreError(f"{path}: the content does not match its checksum")
        if record["schema_version"] > self.version:
            raise NewerRecordError(f"{path}: written by a newer perfcast; update perfcast to read it")
        if record["key"] != key:
            raise StoreError(f"{path}: holds the record {record['key'][:80]!r}")
        return record

    def find(self, key: str) -> dict[str, Any] | None:
        """Return a record, None where it is absent or damaged.

        Raises:
            NewerRecordError: a newer version of perfcast wrote it.
        """
        try:
            return self.read(key)
        except NewerRecordError:
            raise
        except StoreError:
            return None

    def has(self, key: str) -> bool:
        """Return whether there is a record, whole or damaged."""
        return self.path(key).exists()

    def all_keys(self) -> list[str]:
        """Return the keys of all records, whole or damaged."""
        return sorted(path.stem for path in self.folder.glob("[!.]*.json"))

    def drop(self, key: str) -> None:
        """Delete a record; there need not be one.

        Raises:
            StoreError: the file system refuses.
        """
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self.path(key)}: cannot be deleted ({error.strerror})") from error

    def sweep(self) -> None:
        """Delete what writers that were killed long ago left half-written."""
        sweep(self.folder)

    def path(self, key: str) -> Path:
        """Return the file of a record."""
        return self.folder / f"{key}.json"
