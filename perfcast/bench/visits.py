"""The visits that a model has had so far: kept until its measurement is whole, so that no kill loses one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from perfcast.checksummed import ChecksummedStore
from perfcast.runner.protocol import resume_of

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 2
_ABOUT = ("visit", "round", "started_at", "state", "calibration", "disturbed", "power")


@dataclass(frozen=True)
class Visits:
    """Visits of a model, in the order they were made, all in one environment.

    Attributes:
        environment: digest of the environment.
        made: each as the runner answered it: `visit`, `round`, `started_at`, `state`, `calibration`, `disturbed`,
            `samples`, and `power` where the target asks for it and a source is there.
    """

    environment: str
    made: tuple[dict[str, Any], ...] = ()

    def followed_by(self, visit: dict[str, Any]) -> Visits:
        """Return these visits and one more."""
        return Visits(self.environment, (*self.made, visit))

    def to_resume(self) -> dict[str, Any] | None:
        """Return what a runner has to know to go on after them."""
        return resume_of(self.environment, self.made)

    def about(self) -> list[dict[str, Any]]:
        """Return each visit without its samples, as in a measurement's record."""
        return [{name: visit[name] for name in _ABOUT if name in visit} for visit in self.made]

    def samples(self) -> dict[str, list[Any] | None]:
        """Return the samples of all visits as equally long lists, with `visit` and `round` of each.

        A cause that was not recorded in one of the visits is None.
        """
        joined = {name: _joined([visit["samples"][name] for visit in self.made]) for name in self._names()}
        lengths = [len(visit["samples"]["wall_ns"]) for visit in self.made]
        for name in ("visit", "round"):
            joined[name] = _joined([[visit[name]] * length for visit, length in zip(self.made, lengths, strict=True)])
        return joined

    def _names(self) -> list[str]:
        return list(self.made[0]["samples"]) if self.made else []


def _joined(lists: list[list[Any] | None]) -> list[Any] | None:
    there = [values for values in lists if values is not None]
    return list(chain.from_iterable(there)) if len(there) == len(lists) else None


@dataclass(frozen=True)
class VisitStore:
    """The visits of models whose measurement is not whole yet: `visits/<key>.json` below a folder."""

    root: Path

    @property
    def records(self) -> ChecksummedStore:
        """What is stored, by key."""
        return ChecksummedStore(self.root / "visits", SCHEMA_VERSION, {"environment": str, "visits": list})

    def find(self, key: str) -> Visits | None:
        """Return the visits that measurement ``key`` has so far, None where it has none.

        Raises:
            NewerRecordError: a newer perfcast wrote them.
            StoreError: they are damaged.
        """
        if not self.records.has(key):
            return None
        record = self.records.read(key)
        return Visits(record["environment"], tuple(record["visits"]))

    def put(self, key: str, visits: Visits) -> None:
        """Store the visits that measurement ``key`` has so far, instead of those before.

        Raises:
            StoreError: they cannot be written; those before stay.
        """
        self.records.put(key, {"environment": visits.environment, "visits": visits.made})

    def all(self) -> list[str]:
        """Return the keys of the measurements that have visits, whether these are whole or damaged."""
        return self.records.all_keys()
