"""A strict reader of IDX files, the format of MNIST and Fashion-MNIST; gzipped or not."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from perfcast.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

BYTES = 0x08
"""The code of unsigned bytes in a header, the one type that is read."""

MAX_BYTES = 1 << 28
"""Of the largest file that is read; the images of MNIST have 47 million."""

_GZIP = b"\x1f\x8b"


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the content of an IDX file of unsigned bytes with so many dimensions, none of them empty.

    No more memory is taken than the file's content or `MAX_BYTES` needs, whatever its header says.

    Raises:
        UsageError: the file is missing, damaged or something else; one line that names it.
    """
    try:
        with path.open("rb") as file:
            is_packed = file.read(len(_GZIP)) == _GZIP
            file.seek(0)
            if not is_packed:
                return _read(file, dimensions)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(unpacked, dimensions)
    except ValueError as error:
        raise UsageError(f"{path}: is not an IDX file that can be read: {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read ({reason})") from error


def _read(file: BinaryIO | gzip.GzipFile, dimensions: int) -> np.ndarray:
    import numpy as np

    shape = _shape(file, dimensions)
    count = math.prod(shape)
    if count > MAX_BYTES:
        raise ValueError(f"its header says {count:,} bytes, of at most {MAX_BYTES:,}")
    data = file.read(count + 1)
    if len(data) != count:
        found = f"only {len(data):,}" if len(data) < count else "more"
        raise ValueError(f"its header says {count:,} bytes, but {found} follow")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(file: BinaryIO | gzip.GzipFile, dimensions: int) -> tuple[int, ...]:
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise ValueError("it does not begin with the magic number")
    if head[2] != BYTES:
        raise ValueError(f"its values are of type 0x{head[2]:02x}, not unsigned bytes (0x{BYTES:02x})")
    if head[3] != dimensions:
        raise ValueError(f"it has {head[3]} dimensions, not {dimensions}")
    sizes = file.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise ValueError("its header is cut off")
    shape = struct.unpack(f">{dimensions}I", sizes)
    if 0 in shape:
        raise ValueError("it is empty")
    return shape
