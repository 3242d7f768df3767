"""A measurement's record, and the store that keeps each one for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import NewerRecordError, StoreError
from perfcast.storage import digest_of_json, read_json, sweep, write_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1
_KINDS = {"schema_version": int, "key": str, "context": str, "verdict": str, "time_limit_s": int | float}
_REMEDY = "delete results/<target> and run again: only what is damaged is measured again"


@dataclass(frozen=True)
class MeasurementStore:
    """Measurements below a folder: `measurements/<key>.json`, and `contexts/<digest>.json` that they name.

    Beside them `locks/<device>.lock`, which the campaign holds that measures on a device.
    """

    root: Path

    def is_settled(self, key: str, time_limit_s: float) -> bool:
        """Say whether measuring ``key`` again would give nothing new.

        It would where the record or the context that it names is absent or damaged, where the child was killed
        (perhaps by what has passed since), and where it took too long for a limit that is wider now.

        Raises:
            NewerRecordError: a newer perfcast wrote it, which must not be overwritten.
        """
        try:
            record = self.measurement(key)
            self.context(record["context"])
        except NewerRecordError:
            raise
        except StoreError:
            return False
        if record["verdict"] == "timed_out":
            return bool(record["time_limit_s"] >= time_limit_s)
        return bool(record["verdict"] != "crashed")

    def measurement(self, key: str) -> dict[str, Any]:
        """Return the measurement with ``key``.

        Raises:
            NewerRecordError: a newer version of perfcast wrote it.
            StoreError: it is absent or damaged, or another one under this name.
        """
        path = self.root / "measurements" / f"{key}.json"
        record = _unsealed(read_json(path), path)
        if record["schema_version"] > SCHEMA_VERSION:
            raise NewerRecordError(f"{path}: written by a newer perfcast; update perfcast to read it")
        if record["key"] != key:
            raise StoreError(f"{path}: is the measurement {record['key'][:80]!r}; {_REMEDY}")
        return record

    def put(self, record: dict[str, Any]) -> None:
        """Store a measurement under its key, with a digest that tells damage."""
        path = self.root / "measurements" / f"{record['key']}.json"
        write_json(path, {"digest": digest_of_json(record), "record": record})

    def lock_of(self, device: str) -> Path:
        """Return the file that a campaign on ``device`` locks while it measures."""
        return self.root / "locks" / f"{device}.lock"

    def sweep(self) -> None:
        """Delete what writers that were killed long ago left half-written."""
        for name in ("measurements", "contexts"):
            sweep(self.root / name)

    def context(self, digest: str) -> dict[str, Any]:
        """Return the context ``digest``.

        Raises:
            StoreError: it is absent or damaged.
        """
        path = self.root / "contexts" / f"{digest}.json"
        context: dict[str, Any] = read_json(path)
        if digest_of_json(context) != digest:
            raise StoreError(f"{path}: the content does not match its digest")
        return context

    def put_context(self, context: dict[str, Any]) -> str:
        """Store a context and return its digest."""
        digest = digest_of_json(context)
        write_json(self.root / "contexts" / f"{digest}.json", context)
        return digest


def _unsealed(sealed: Any, path: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = dict(sealed["record"])
        matches = digest_of_json(record) == sealed["digest"]
        whole = all(isinstance(record[name], kind) for name, kind in _KINDS.items())
    # Not of these keys, or of values such as NaN and lone surrogates, which no record is written with.
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: is no measurement; {_REMEDY}") from error
    if not (matches and whole):
        raise StoreError(f"{path}: the content does not match its digest; {_REMEDY}")
    return record
