"""Texts of Keras models: `.json` files, and the configuration in a `.keras` archive, its folder, or a `.h5` file.

Nothing else of the file is read, nothing is deserialised, and Keras is not needed.
"""

from __future__ import annotations

import gzip
import io
import json
import stat
import zipfile
import zlib
from collections import Counter
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Any

from perfcast.errors import SourceError
from perfcast.formats import HDF5_ENDINGS, KERAS_CONFIG
from perfcast.text import escape_control

if TYPE_CHECKING:
    from pathlib import Path

_MAX_MEMBERS = 10_000
_MAX_DIRECTORY_BYTES = 10_000_000
# Keras stores members as they are; others may have packed them again, of which numbers shrink little.
_MAX_EXPANSION = 100
_EXPANDS_FREELY = 256_000_000
_ENCRYPTED = 1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE = 1 << 20

MAX_BYTES = 100_000_000
"""Bytes that a text may have once unpacked; those of networks of thousands of layers have ten millions."""


def read_configuration(path: Path) -> Any:
    """Return the parsed configuration of a saved model.

    Args:
        path: a `.keras` file, the folder that one was unpacked to, or a `.h5` or `.hdf5` file.

    Raises:
        SourceError: it is damaged or holds no configuration, or an archive is built to harm who unpacks it: too large,
            a path out of it, members of one name. One line that does not name the file.
        OSError: it cannot be read.
    """
    if path.is_dir():
        return read_document(path / KERAS_CONFIG)
    if path.name.lower().endswith(HDF5_ENDINGS):
        return parse(_attribute(path, "model_config"))
    return parse(_member(path, KERAS_CONFIG))


class _Patient(io.FileIO):
    """A file of which no more is read at once than an archive's list of members may take."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            place = self.tell()
            size = self.seek(0, io.SEEK_END) - place
            self.seek(place)
        if size > _MAX_DIRECTORY_BYTES:
            raise SourceError(f"not a Keras archive: it lists more than {_MAX_MEMBERS:,} members")
        return super().read(size)


def _member(path: Path, name: str) -> bytes:
    try:
        with _Patient(path) as file, zipfile.ZipFile(file) as archive:
            _check_members(archive.infolist(), path.stat().st_size)
            pieces = []
            with archive.open(name) as member:
                while piece := member.read(_PIECE):
                    pieces.append(piece)
    except KeyError as error:
        raise SourceError(f"not a Keras archive: it has no member {name!r}") from error
    # The library's own word for a damaged one, and what its parts say of it.
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        raise SourceError("not a readable Keras file; save the model to it again") from error
    return b"".join(pieces)


def _check_members(members: list[zipfile.ZipInfo], stored: int) -> None:
    if len(members) > _MAX_MEMBERS:
        raise SourceError(f"not a Keras archive: it lists more than {_MAX_MEMBERS:,} members")
    counts = Counter(member.filename for member in members)
    for member in members:
        reason = _fault_of(member)
        if reason is None and counts[member.filename] > 1:
            reason = "is there twice"
        if reason is not None:
            raise SourceError(f"not a Keras archive: its member {escape_control(member.filename)[:80]!r} {reason}")
    if sum(member.file_size for member in members) > _EXPANDS_FREELY + _MAX_EXPANSION * stored:
        raise SourceError(f"would unpack to more than {_MAX_EXPANSION} times its size, more than any Keras file")


def _fault_of(member: zipfile.ZipInfo) -> str | None:
    path = PureWindowsPath(member.filename)
    # Windows' paths are any system's: both separators, and drives.
    if path.anchor or ".." in path.parts:
        return "escapes it (path traversal)"
    if stat.S_ISLNK(member.external_attr >> 16):
        return "is a link"
    if member.flag_bits & _ENCRYPTED:
        return "is encrypted"
    if member.compress_type not in _METHODS:
        return "is compressed in a way that Keras does not use"
    if member.filename == KERAS_CONFIG and member.file_size > MAX_BYTES:
        return f"is larger than {MAX_BYTES // 1_000_000} MB"
    return None


def _attribute(path: Path, name: str) -> bytes:
    """Return an attribute of the root of a HDF5 file; links, groups and data sets are not looked at."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            if name not in file.attrs:
                raise SourceError("holds weights but no network; save the whole model: model.save(...)")
            attribute = file.attrs.get_id(name)
            is_text = h5py.check_string_dtype(attribute.dtype) is not None and attribute.shape == ()
            if not is_text or attribute.get_storage_size() > MAX_BYTES:
                raise SourceError(f"its attribute {name!r} is not the text of a model")
            value = file.attrs[name]
    # Whatever the library meets in a damaged file.
    except (OSError, KeyError, MemoryError, RuntimeError, TypeError, ValueError) as error:
        raise SourceError("not a readable HDF5 file; save the model to it again") from error
    return value.encode(errors="surrogateescape") if isinstance(value, str) else bytes(value)


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
    if len(data) > MAX_BYTES:
        raise SourceError(f"is larger than {MAX_BYTES // 1_000_000} MB once unpacked, more than any model's JSON")
    try:
        return json.loads(data)
    except ValueError as error:
        raise SourceError(f"is not JSON ({_first_line(error)})") from error
    except RecursionError as error:
        raise SourceError("is nested too deeply") from error


def _read(path: Path) -> bytes:
    if path.suffix == ".gz":
        with gzip.open(path) as packed:
            return packed.read(MAX_BYTES + 1)
    with path.open("rb") as plain:
        return plain.read(MAX_BYTES + 1)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
