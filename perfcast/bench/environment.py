"""Fingerprints: what of an environment changes numbers. Under another one, a measurement is another measurement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.checksummed import ChecksummedStore
from perfcast.storage import digest_of_json
from perfcast.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SCHEMA_VERSION = 2
_LONGEST = 60
_MOST = 5


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the facts in which two fingerprints, or two environments, differ.

    Returns:
        the values before and now by name, such as `governor`; None where one does not have it.
    """
    return {
        name: (before[part].get(name), now[part].get(name))
        for part in ("machine", "software", "settings")
        for name in sorted({*before[part], *now[part]})
        if before[part].get(name) != now[part].get(name)
    }


def in_words(differences: Mapping[str, tuple[Any, Any]]) -> str:
    """Say what `differing` found, such as `governor was powersave, is performance`."""
    facts = [[one_line(value, _LONGEST) for value in (name, *values)] for name, values in differences.items()]
    said = [f"{name} was {before}, is {now}" for name, before, now in facts]
    more = [f"and {len(said) - _MOST} more"] if len(said) > _MOST else []
    return "; ".join(said[:_MOST] + more)


def calibration_name(device: str, threads: int) -> str:
    """Return what the calibration workload's times are kept by: on another number of threads it is another one."""
    return f"{device}, {threads} thread{'s' if threads > 1 else ''}"


@dataclass(frozen=True)
class FingerprintStore:
    """The fingerprints that a store's measurements were made under: `fingerprints/<digest>.json` below a folder.

    Beside them stands the shortest time that the calibration workload took under them, by device. It is a note that
    saves reading all measurements: where it is lost, the next visits write another.
    """

    root: Path

    @property
    def records(self) -> ChecksummedStore:
        """What is stored, by the fingerprint's digest."""
        kinds = {"fingerprint": dict, "fastest_calibration_ns": dict}
        return ChecksummedStore(self.root / "fingerprints", SCHEMA_VERSION, kinds)

    def note(self, fingerprint: dict[str, Any], device: str, calibration_ns: int) -> None:
        """Note how long the calibration workload took, where it never was as fast on this device.

        Raises:
            StoreError: it cannot be written.
        """
        digest = digest_of_json(fingerprint)
        floors = self._floors(digest)
        if device not in floors or calibration_ns < floors[device]:
            fastest = {**floors, device: calibration_ns}
            self.records.put(digest, {"fingerprint": fingerprint, "fastest_calibration_ns": fastest})

    def calibration_floor_ns(self, digest: str, device: str) -> int | None:
        """Return the shortest time of the calibration workload under a fingerprint on a device, None where unknown."""
        return self._floors(digest).get(device)

    def all(self) -> list[dict[str, Any]]:
        """Return the fingerprints that something was measured under."""
        notes = [self.records.find(key) for key in self.records.all_keys()]
        return [note["fingerprint"] for note in notes if note]

    def _floors(self, digest: str) -> dict[str, int]:
        note = self.records.find(digest)
        return note["fastest_calibration_ns"] if note else {}
