"""Which model has a device, and which models devices did not survive: kept, since this machine may be the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.bench.checksummed import find_checksummed, write_checksummed
from perfcast.storage import digest_of

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class FreezeStore:
    """Notes below a folder: `devices/<digest of its name>.json`, and `freezes/<key>.json` of a model's measurement.

    A device that was started again while a model had it did not survive that model, or was cut off from power.
    """

    root: Path

    def begin(self, device: str, key: str, boot: str | None) -> None:
        """Note that measurement ``key`` has a device now, whose start is called ``boot``.

        Raises:
            StoreError: it cannot be written.
        """
        path = self._device(device)
        note = {"schema_version": SCHEMA_VERSION, "key": path.stem, "measurement": key, "boot": boot or ""}
        write_checksummed(path, note)

    def end(self, device: str) -> None:
        """Note that nothing has a device."""
        self._device(device).unlink(missing_ok=True)

    def settle(self, device: str, boot: str | None) -> str | None:
        """Return the measurement that had a device when it went down, None where it did not; it is counted once.

        Args:
            device: its name.
            boot: what its start is called now.

        Raises:
            StoreError: the count cannot be written.
        """
        note = find_checksummed(self._device(device), SCHEMA_VERSION, {"measurement": str, "boot": str})
        if not (note and boot and note["boot"]) or note["boot"] == boot:
            return None
        key = str(note["measurement"])
        boots = sorted({*self._boots(key), note["boot"]})
        write_checksummed(self._freezes(key), {"schema_version": SCHEMA_VERSION, "key": key, "boots": boots})
        self.end(device)
        return key

    def count(self, key: str) -> int:
        """Return how often a device went down while it had measurement ``key``."""
        return len(self._boots(key))

    def _boots(self, key: str) -> list[str]:
        note = find_checksummed(self._freezes(key), SCHEMA_VERSION, {"boots": list})
        return list(note["boots"]) if note else []

    def _device(self, name: str) -> Path:
        return self.root / "devices" / f"{digest_of(name.encode())}.json"

    def _freezes(self, key: str) -> Path:
        return self.root / "freezes" / f"{key}.json"
