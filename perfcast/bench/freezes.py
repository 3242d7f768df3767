"""Which model has a device, and which models devices did not survive: kept, since this machine may be the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from perfcast.checksummed import ChecksummedStore
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

    @property
    def devices(self) -> ChecksummedStore:
        """Which measurement has each device."""
        return ChecksummedStore(self.root / "devices", SCHEMA_VERSION, {"measurement": str, "boot": str})

    @property
    def freezes(self) -> ChecksummedStore:
        """The starts of devices that ended while they had each measurement."""
        return ChecksummedStore(self.root / "freezes", SCHEMA_VERSION, {"boots": list})

    def begin(self, device: str, key: str, boot: str | None) -> None:
        """Note that measurement ``key`` has a device now, whose start is called ``boot``.

        Raises:
            StoreError: it cannot be written.
        """
        self.devices.put(_key(device), {"measurement": key, "boot": boot or ""})

    def end(self, device: str) -> None:
        """Note that nothing has a device.

        Raises:
            StoreError: the file system refuses.
        """
        self.devices.drop(_key(device))

    def settle(self, device: str, boot: str | None) -> str | None:
        """Return the measurement that had a device when it went down, None where it did not; it is counted once.

        Args:
            device: its name.
            boot: what its start is called now.

        Raises:
            StoreError: the count cannot be written.
        """
        note = self.devices.find(_key(device))
        if not (note and boot and note["boot"]) or note["boot"] == boot:
            return None
        key = str(note["measurement"])
        self.freezes.put(key, {"boots": sorted({*self._boots(key), note["boot"]})})
        self.end(device)
        return key

    def count(self, key: str) -> int:
        """Return how often a device went down while it had measurement ``key``."""
        return len(self._boots(key))

    def _boots(self, key: str) -> list[str]:
        note = self.freezes.find(key)
        return list(note["boots"]) if note else []


def _key(device: str) -> str:
    return digest_of(device.encode())
