"""From a file to its parsed text."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES = 100_000_000
"""Bytes that a text may have once unpacked; those of networks of thousands of layers have ten millions."""


def read_document(path: Path) -> Any:
    """Return the parsed text of a `.json` or `.json.gz` file.

    Raises:
        SourceError: it cannot be read, is too large, or is not JSON; the message does not name the file.
    """
    try:
        data = _read(path)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"cannot be read ({_first_line(error)})") from error
    return parse(data)


def parse(data: bytes) -> Any:
    """Return the parsed text of a model.

    Raises:
        SourceError: it is too large, or is not JSON.
    """
    if len(data) > MOST_BYTES:
        raise SourceError(f"is larger than {MOST_BYTES // 1_000_000} MB once unpacked, more than any model's JSON")
    try:
        return json.loads(data)
    except ValueError as error:
        raise SourceError(f"is not JSON ({_first_line(error)})") from error
    except RecursionError as error:
        raise SourceError("is nested too deeply") from error


def _read(path: Path) -> bytes:
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read(MOST_BYTES + 1)
    with path.open("rb") as plain:
        return plain.read(MOST_BYTES + 1)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
