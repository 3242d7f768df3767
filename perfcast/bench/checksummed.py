"""Files that tell their own damage: a content beside its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perfcast.errors import NewerRecordError, StoreError
from perfcast.storage import digest_of_json, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import UnionType


def write_checksummed(path: Path, content: dict[str, Any]) -> None:
    """Write ``content``, and the digest that tells damage.

    Raises:
        StoreError: it cannot be written.
    """
    write_json(path, {"digest": digest_of_json(content), "record": content})


def find_checksummed(path: Path, version: int, kinds: Mapping[str, type | UnionType]) -> dict[str, Any] | None:
    """Return what `write_checksummed` wrote; None where it is absent or damaged: as if nothing had been noted.

    Raises:
        NewerRecordError: a newer version of perfcast wrote it.
    """
    try:
        return read_checksummed(path, version, kinds)
    except NewerRecordError:
        raise
    except StoreError:
        return None


def read_checksummed(path: Path, version: int, kinds: Mapping[str, type | UnionType]) -> dict[str, Any]:
    """Return what `write_checksummed` wrote.

    Args:
        path: the file; its name without the ending is what the content's `key` has to be.
        version: the newest `schema_version` that is understood.
        kinds: the type of each further value that is read before anything else is known of the content.

    Raises:
        NewerRecordError: a newer version of perfcast wrote it.
        StoreError: it is absent or damaged, or another one under this name.
    """
    sealed = read_json(path)
    try:
        content: dict[str, Any] = dict(sealed["record"])
        matches = digest_of_json(content) == sealed["digest"]
        wanted = {"schema_version": int, "key": str} | dict(kinds)
        whole = all(isinstance(content[name], kind) for name, kind in wanted.items())
    # Not of these keys, or of values such as NaN and lone surrogates, which nothing is written with.
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: is not what perfcast writes there") from error
    if not (matches and whole):
        raise StoreError(f"{path}: the content does not match its digest")
    if content["schema_version"] > version:
        raise NewerRecordError(f"{path}: written by a newer perfcast; update perfcast to read it")
    if content["key"] != path.stem:
        raise StoreError(f"{path}: is that of {content['key'][:80]!r}")
    return content
