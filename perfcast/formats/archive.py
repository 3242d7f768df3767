"""Archives from outside unpacked so that nothing is written outside the folder that they are unpacked into."""

from __future__ import annotations

import contextlib
import gzip
import io
import tarfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from perfcast.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST = 8_000_000_000
"""Bytes that an archive may unpack to: twice the largest SavedModels that are published."""

_MAX_MEMBERS = 10_000
_GZIP = b"\x1f\x8b"
_PIECE = 1 << 20


def unpack(archive: Path, folder: Path, *, largest: int = LARGEST) -> None:
    """Unpack a `.tar.gz` or `.tar` file into a folder that exists.

    Args:
        archive: the file.
        folder: where to; what was unpacked before an error stays in it.
        largest: bytes that it may unpack to.

    Raises:
        SourceError: it is damaged, cut off or too large, or a member would leave the folder, is a device, or
            links to what lies outside.
    """
    try:
        with _unzipped(archive) as unzipped:
            stream: Any = _Bounded(unzipped, largest)
            # A stream is read once, from front to back: what is refused was not unpacked before.
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                _extract(tar, folder)
            # What follows the members holds the checksum that reveals damage.
            while stream.read(_PIECE):
                pass
    except tarfile.FilterError as error:
        raise SourceError(f"the archive has a member that must not be unpacked: {error}") from error
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError) as error:
        raise SourceError(f"the archive is damaged or truncated ({error})") from error


def is_zipped(archive: Path) -> bool:
    """Tell whether a file is compressed as archives of models are."""
    with archive.open("rb") as file:
        return file.read(len(_GZIP)) == _GZIP


@contextlib.contextmanager
def _unzipped(archive: Path) -> Iterator[BinaryIO]:
    with archive.open("rb") as file:
        if not is_zipped(archive):
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unzipped:
            yield io.BufferedReader(unzipped)


class _Bounded:
    """A stream that ends in an error where more is read of it than it may hold."""

    def __init__(self, stream: BinaryIO, largest: int):
        self._stream = stream
        self._largest = largest
        self._read = 0

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._read += len(piece)
        if self._read > self._largest:
            raise SourceError(f"the archive unpacks to more than {self._largest / 1e9:g} GB")
        return piece


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    for count, member in enumerate(tar, start=1):
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts:
            raise SourceError(f"the archive has a member that would leave its folder: {member.name[:80]!r}")
        if count > _MAX_MEMBERS:
            raise SourceError(f"the archive has more than {_MAX_MEMBERS} members")
        tar.extract(member, folder, filter="data")
