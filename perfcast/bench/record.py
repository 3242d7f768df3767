"""A measurement's record, and the store that keeps each one for good."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from perfcast.errors import StoreError
from perfcast.storage import digest_of_json, read_json, sweep, write_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA_VERSION = 1
_REMEDY = "delete results/<target> and run again: only what is damaged is measured again"


@dataclass(frozen=True)
class MeasurementStore:
    """Measurements below a folder: `measurements/<key>.json`, and `contexts/<digest>.json` that they name.

    Beside them `locks/<target>.lock`, which the campaign holds that measures on a target.
    """

    root: Path

    def is_settled(self, key: str, time_limit_s: float) -> bool:
        """Say whether measuring ``key`` again would give nothing new.

        It would where the record is absent or damaged, where the child was killed (perhaps by what has passed
        since), and where it took too long for a limit that is wider now.
        """
        try:
            record = self.measurement(key)
        except StoreError:
            return False
        if record["verdict"] == "timed_out":
            return bool(record["time_limit_s"] >= time_limit_s)
        return bool(record["verdict"] != "crashed")

    def measurement(self, key: str) -> dict[str, Any]:
        """Return the measurement with ``key``.

        Raises:
            StoreError: it is absent, damaged, or from a newer version of perfcast.
        """
        path = self.root / "measurements" / f"{key}.json"
        sealed = read_json(path)
        record = _unsealed(sealed, path)
        if record.get("schema_version", 0) > SCHEMA_VERSION:
            raise StoreError(f"{path}: written by a newer perfcast; update perfcast to read it")
        return record

    def put(self, record: dict[str, Any]) -> None:
        """Store a measurement under its key, with a digest that tells damage."""
        path = self.root / "measurements" / f"{record['key']}.json"
        write_json(path, {"digest": digest_of_json(record), "record": record})

    def lock_of(self, target: str) -> Path:
        """Return the file that a campaign on ``target`` locks while it measures."""
        return self.root / "locks" / f"{target}.lock"

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
        record, digest = sealed["record"], sealed["digest"]
    except (KeyError, TypeError) as error:
        raise StoreError(f"{path}: is no measurement") from error
    if digest_of_json(record) != digest:
        raise StoreError(f"{path}: the content does not match its digest; {_REMEDY}")
    return dict(record)
