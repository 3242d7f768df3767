"""A measurement's record, and the store that keeps each one for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.bench.checksummed import read_sealed, write_sealed
from perfcast.bench.environment import ConditionsStore
from perfcast.bench.freezes import FreezeStore
from perfcast.bench.visits import VisitStore
from perfcast.errors import NewerRecordError, StoreError
from perfcast.storage import digest_of_json, read_json, sweep, write_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 2
UNFINISHED = frozenset({"crashed", "timed_out"})
"""Verdicts after which a model may be measured further: its visits are kept."""

_KINDS = {"context": str, "verdict": str, "time_limit_s": int | float}
_REMEDY = "delete results/<target> and run again: only what is damaged is measured again"


@dataclass(frozen=True)
class MeasurementStore:
    """Measurements below a folder: `measurements/<key>.json`, and `contexts/<digest>.json` that they name.

    Beside them lie the visits of models that are not done (`visits`), the conditions of all (`conditions`), and which
    models devices did not survive (`freezes`).
    """

    root: Path

    @property
    def visits(self) -> VisitStore:
        """The visits of models that are not done."""
        return VisitStore(self.root)

    @property
    def conditions(self) -> ConditionsStore:
        """The conditions that something was measured under."""
        return ConditionsStore(self.root)

    @property
    def freezes(self) -> FreezeStore:
        """Which models devices did not survive."""
        return FreezeStore(self.root)

    def is_settled(self, key: str, time_limit_s: float) -> bool:
        """Say whether measuring ``key`` again would give nothing new.

        It would where the record or the context that it names is absent or damaged, where the child was killed
        (perhaps by what has passed since), and where it took too long for a limit that is wider now.

        Raises:
            NewerRecordError: a newer perfcast wrote it, which must not be overwritten.
        """
        try:
            record = self._sound(key)
        except NewerRecordError:
            raise
        except StoreError:
            return False
        if record["verdict"] == "timed_out":
            return bool(record["time_limit_s"] >= time_limit_s)
        return bool(record["verdict"] != "crashed")

    def has(self, key: str) -> bool:
        """Say whether there is a measurement with ``key``, whole or damaged."""
        return self._path(key).exists()

    def damage_of(self, key: str) -> str:
        """Say what is wrong with the measurement ``key``, or with the context that it names.

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
            return self._read(key)
        except NewerRecordError:
            raise
        except StoreError as error:
            raise StoreError(f"{error}; {_REMEDY}") from error

    def put(self, record: dict[str, Any]) -> None:
        """Store a measurement under its key, with a digest that tells damage; its visits are in it, or kept.

        Raises:
            StoreError: it cannot be written.
        """
        write_sealed(self._path(record["key"]), record)
        if record["verdict"] not in UNFINISHED:
            self.visits.drop(record["key"])

    def sweep(self) -> None:
        """Delete what writers that were killed long ago left half-written, and visits that a measurement holds."""
        for name in ("measurements", "contexts", "visits", "conditions", "devices", "freezes"):
            sweep(self.root / name)
        for key in self.visits.all():
            if self.has(key) and not self.damage_of(key) and self._read(key)["verdict"] not in UNFINISHED:
                self.visits.drop(key)

    def context(self, digest: str) -> dict[str, Any]:
        """Return the context ``digest``.

        Raises:
            StoreError: it is absent or damaged.
        """
        path = self.root / "contexts" / f"{digest}.json"
        context: dict[str, Any] = read_json(path)
        try:
            matches = digest_of_json(context) == digest
        except ValueError:  # NaN or a lone surrogate, which nothing is written with.
            matches = False
        if not matches:
            raise StoreError(f"{path}: the content does not match its digest")
        return context

    def put_context(self, context: dict[str, Any]) -> str:
        """Store a context and return its digest.

        Raises:
            StoreError: it cannot be written.
        """
        digest = digest_of_json(context)
        write_json(self.root / "contexts" / f"{digest}.json", context)
        return digest

    def _sound(self, key: str) -> dict[str, Any]:
        record = self._read(key)
        self.context(record["context"])
        return record

    def _read(self, key: str) -> dict[str, Any]:
        return read_sealed(self._path(key), SCHEMA_VERSION, _KINDS)

    def _path(self, key: str) -> Path:
        return self.root / "measurements" / f"{key}.json"
