"""Files that are never half-written, and digests of their content."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perfcast.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


ABANDONED_AFTER_S = 24 * 3600


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to ``path``; on success it replaces ``path``, on an exception it is removed.

    Raises:
        StoreError: the file system refuses, such as where the disk is full.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{target.name}.", suffix="".join(target.suffixes[-2:]), dir=target.parent
        )
        os.close(handle)
        aside = Path(name)
        try:
            yield aside
            _flush(aside)
            aside.chmod(0o644)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        reason = " ".join((error.strerror or str(error)).split())
        raise StoreError(f"{target}: cannot be written ({reason})") from error


def _flush(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sweep(folder: Path) -> None:
    """Delete what `replacing` and its like left in ``folder`` when they were killed.

    Only what is older than a day: a younger one may be another process's, which still writes it.
    """
    entries = list(folder.glob(".*")) if folder.is_dir() else []
    for entry in entries:
        with contextlib.suppress(OSError):
            if time.time() - entry.stat().st_mtime < ABANDONED_AFTER_S:
                continue
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with replacing(path) as aside:
        aside.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` as canonical JSON to ``path`` atomically; NaN and infinity are refused."""
    write_bytes(path, canonical_json(value, indent=1))


def write_table(path: str | os.PathLike[str], table: pd.DataFrame) -> None:
    """Write ``table`` to ``path`` atomically, as Parquet or CSV by the path's ending."""
    with replacing(path) as aside:
        if Path(path).suffix == ".csv":
            table.to_csv(aside, index=False)
        else:
            table.to_parquet(aside, index=False)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read JSON from ``path``.

    Raises:
        StoreError: the file is absent, holds no JSON or is nested too deeply.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{path}: cannot be read as JSON ({error})") from error


def canonical_json(value: Any, indent: int | None = None) -> bytes:
    """Return the one JSON text of ``value``: sorted keys, UTF-8, no NaN."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
    return text.encode() + (b"" if indent is None else b"\n")


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of ``data`` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's content in hexadecimal; it may be larger than memory."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_json(value: Any) -> str:
    """Return the digest of the canonical JSON of ``value``."""
    return digest_of(canonical_json(value))
