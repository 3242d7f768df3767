"""A measurement's record, and the store that keeps each one for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.fingerprints import FingerprintStore
from perfcast.bench.freezes import FreezeStore
from perfcast.bench.visits import VisitStore
from perfcast.checksummed import ChecksummedStore
from perfcast.errors import NewerRecordError, StoreError, UsageError
from perfcast.runner.protocol import BUDGET
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA_VERSION = 4
ENVIRONMENT_VERSION = 2
UNFINISHED = frozenset({"crashed", "timed_out"})
"""Statuses of models that may be measured further."""

_KINDS = {"environment": str, "status": str, "time_limit_s": int | float}
_REMEDY = "delete results/<target> and run again: only what is damaged is measured again"


def may_go_on(record: Mapping[str, Any]) -> bool:
    """Return whether a model may be measured further after a record, which that replaces; its visits are kept."""
    return record["status"] in UNFINISHED or record.get("stopped_by") == BUDGET


@dataclass(frozen=True)
class MeasurementStore:
    """Measurements below a folder: `measurements/<key>.json`, and `environments/<digest>.json` that they name.

    Beside them lie the visits of models that are not done (`visits`), the fingerprints of all (`fingerprints`), and
    which models devices did not survive (`freezes`).
    """

    root: Path

    def __post_init__(self) -> None:
        """Refuse a store whose records have the names of an earlier version.

        Raises:
            UsageError: it is one; one line that says what to do.
        """
        if (self.root / "contexts").is_dir():
            raise UsageError(
                f"{self.root}: written by perfcast 0.1, whose records have other names; name a new folder with the "
                "option `store` (the old one is kept), or delete it"
            )
        known = (self.environments.find(key) for key in self.environments.all_keys())
        oldest = next((found["schema_version"] for found in known if found), ENVIRONMENT_VERSION)
        if oldest < ENVIRONMENT_VERSION:
            raise UsageError(
                f"{self.root}: its measurements do not show which machine and environment variables they were made "
                f"with, as an earlier perfcast stored them; delete {self.environments.folder}, or name a new folder "
                "with the option `store`, and measure again"
            )

    @property
    def records(self) -> ChecksummedStore:
        """The measurements, by key."""
        return ChecksummedStore(self.root / "measurements", SCHEMA_VERSION, _KINDS)

    @property
    def environments(self) -> ChecksummedStore:
        """The environments that measurements name, by digest."""
        return ChecksummedStore(self.root / "environments", ENVIRONMENT_VERSION, {"environment": dict})

    @property
    def visits(self) -> VisitStore:
        """The visits of models that are not done."""
        return VisitStore(self.root)

    @property
    def fingerprints(self) -> FingerprintStore:
        """The fingerprints that something was measured under."""
        return FingerprintStore(self.root)

    @property
    def freezes(self) -> FreezeStore:
        """Which models devices did not survive."""
        return FreezeStore(self.root)

    def is_settled(self, key: str, time_limit_s: float) -> bool:
        """Say whether measuring ``key`` again would give nothing new.

        It would where the record or the environment that it names is absent or damaged, where a budget ended before
        the protocol did, where the child was killed (perhaps by what has passed since), and where it took too long
        for a limit that is wider now.

        Raises:
            NewerRecordError: a newer perfcast wrote it, which must not be overwritten.
        """
        try:
            record = self._sound(key)
        except NewerRecordError:
            raise
        except StoreError:
            return False
        if record["status"] == "timed_out":
            return bool(record["time_limit_s"] >= time_limit_s)
        return not may_go_on(record)

    def has(self, key: str) -> bool:
        """Say whether there is a measurement with ``key``, whole or damaged."""
        return self.records.has(key)

    def damage_of(self, key: str) -> str:
        """Say what is wrong with the measurement ``key``, or with the environment that it names.

        Returns:
            one line; nothing where both are sound or there is no such measurement.

        Raises:
            NewerRecordError: a newer perfcast wrote it.
        """
        try:
            if self.has(key):
                self._sound(key)
        except NewerRecordError:
            raise
        except StoreError as error:
            return str(error)
        return ""

    def measurement(self, key: str) -> dict[str, Any]:
        """Return the measurement with ``key``.

        Raises:
            NewerRecordError: a newer version of perfcast wrote it.
            StoreError: it is absent or damaged, or another one under this name.
        """
        try:
            return self.records.read(key)
        except NewerRecordError:
            raise
        except StoreError as error:
            raise StoreError(f"{error}; {_REMEDY}") from error

    def manifest(self, keys: list[str]) -> dict[str, Any]:
        """Return which of ``keys`` were measured, how many visits each has, and whether no budget ended this early.

        Raises:
            StoreError: one is damaged.
        """
        records = [self.measurement(key) for key in keys if self.has(key)]
        complete = len(records) == len(keys) and not any(record.get("stopped_by") == BUDGET for record in records)
        visits = [len(record["visits"]) for record in records]
        return {"measurements": [record["key"] for record in records], "visits": visits, "complete": complete}

    def put(self, record: dict[str, Any]) -> None:
        """Store a measurement under its key, with a checksum that shows damage; its visits are in it, or kept.

        Raises:
            StoreError: it cannot be written.
        """
        self.records.put(record["key"], record)
        if not may_go_on(record):
            self.visits.records.drop(record["key"])

    def sweep(self) -> None:
        """Delete what writers that were killed long ago left half-written, and visits that a measurement holds."""
        notes = (self.fingerprints.records, self.freezes.devices, self.freezes.freezes)
        for store in (self.records, self.environments, self.visits.records, *notes):
            store.sweep()
        for key in self.visits.all():
            if self.has(key) and not self.damage_of(key) and not may_go_on(self.records.read(key)):
                self.visits.records.drop(key)

    def environment(self, digest: str) -> dict[str, Any]:
        """Return the environment ``digest``.

        Raises:
            StoreError: it is absent or damaged.
        """
        environment: dict[str, Any] = self.environments.read(digest)["environment"]
        return environment

    def put_environment(self, environment: dict[str, Any]) -> str:
        """Store an environment and return its digest.

        Raises:
            StoreError: it cannot be written.
        """
        digest = digest_of_json(environment)
        self.environments.put(digest, {"environment": environment})
        return digest

    def _sound(self, key: str) -> dict[str, Any]:
        record = self.records.read(key)
        self.environment(record["environment"])
        return record
