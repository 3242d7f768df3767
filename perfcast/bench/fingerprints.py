"""Fingerprints: what of an environment changes numbers. Under another one, a measurement is another measurement."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from perfcast.bench.calibrations import Speed
from perfcast.bench.device_lock import exclusive
from perfcast.checksummed import ChecksummedStore
from perfcast.runner.protocol import fingerprint_of
from perfcast.storage import digest_of_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

SCHEMA_VERSION = 3
_KINDS = {"fingerprint": dict, "calibration_ns": dict, "machines": list}
_KEPT = 400
"""Times of the calibration workload that are kept: those of 200 visits, which is a campaign's worth."""

Fingerprint = dict[str, Any]


@dataclass(frozen=True)
class FingerprintStore:
    """The fingerprints that a store's measurements were made under: `fingerprints/<digest>.json` below a folder.

    Beside each stand the times that the calibration workload took under it, by device and threads, and the other
    machines whose measurements go by it: they are what it says in all but their identity, and their calibration agrees
    with it. Where a note is lost, the next campaign writes another.
    """

    root: Path

    @property
    def records(self) -> ChecksummedStore:
        """What is stored, by the fingerprint's digest."""
        return ChecksummedStore(self.root / "fingerprints", SCHEMA_VERSION, _KINDS)

    def of(self, environment: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint that measurements in an environment go by: its own, or that of a machine like it."""
        own: Fingerprint = fingerprint_of(environment)
        if self.records.find(digest_of_json(own)):
            return own
        notes = (note for _, note in self._of_others(own) if own["machine"]["identity"] in note["machines"])
        return next((note["fingerprint"] for note in notes), own)

    def is_new(self, environment: Mapping[str, Any]) -> bool:
        """Return whether nothing is known yet of this machine under this fingerprint."""
        return not self.records.has(digest_of_json(self.of(environment)))

    def admit(self, environment: Mapping[str, Any], name: str, calibration_ns: Sequence[int]) -> float | None:
        """Decide whether a new machine's measurements go by a known fingerprint, and remember that they do.

        Args:
            environment: the machine's.
            name: what its calibration is kept by, as `calibration_name` returns it.
            calibration_ns: times of the calibration workload there.

        Returns:
            None where that is decided, or there is no other machine of this description: then its own fingerprint is
            noted. Else how many times as long the calibration takes as on the most similar of the others.

        Raises:
            StoreError: it cannot be written.
        """
        own = fingerprint_of(environment)
        if not calibration_ns:
            return None
        ratios = []
        with exclusive(self.root / "fingerprints.lock", "deciding which machine this is"):
            for key, note in self._of_others(own):
                known = note["calibration_ns"].get(name, [])
                if known and Speed.of(known).agrees(Speed.of(calibration_ns)):
                    machines = sorted({*note["machines"], own["machine"]["identity"]})
                    self.records.put(key, note | {"machines": machines})
                    return None
                if known:
                    ratios.append(median(calibration_ns) / median(known))
            if not ratios:
                self.note(own, name, calibration_ns)
        return min(ratios, key=lambda ratio: abs(math.log(ratio)), default=None)

    def note(self, fingerprint: Fingerprint, name: str, calibration_ns: Sequence[int]) -> None:
        """Note how long the calibration workload took.

        Raises:
            StoreError: it cannot be written.
        """
        digest = digest_of_json(fingerprint)
        found: dict[str, Any] = self.records.find(digest) or {name: kind() for name, kind in _KINDS.items()}
        known = [*found["calibration_ns"].get(name, []), *calibration_ns][-_KEPT:]
        times = found["calibration_ns"] | {name: known}
        self.records.put(digest, {"fingerprint": fingerprint, "machines": found["machines"], "calibration_ns": times})

    def calibration_ns(self, digest: str, name: str) -> list[int]:
        """Return the times that the calibration workload took under a fingerprint on a device, none where unknown."""
        note = self.records.find(digest)
        return list(note["calibration_ns"].get(name, [])) if note else []

    def all(self) -> list[Fingerprint]:
        """Return the fingerprints that something was measured under."""
        notes = [self.records.find(key) for key in self.records.all_keys()]
        return [note["fingerprint"] for note in notes if note]

    def _of_others(self, own: Fingerprint) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the notes of other machines that differ from this one in nothing but their identity."""
        for key in self.records.all_keys():
            note = self.records.find(key)
            if note and _nameless(note["fingerprint"]) == _nameless(own):
                yield key, note


def _nameless(fingerprint: Fingerprint) -> Fingerprint:
    return fingerprint | {"machine": fingerprint["machine"] | {"identity": None}}
