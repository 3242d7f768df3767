"""Bundles: artifacts in one file, which caches of outputs and other checkouts can take over."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import StoreError
from perfcast.models.spec import DESCRIPTOR
from perfcast.storage import digest_of, replacing

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_MAX_BYTES, _MAX_DESCRIPTOR_BYTES = 2 * 1024**3, 256 * 1024**2
"""No program is larger, and the largest descriptors known have a few millions."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, KeyError, NotImplementedError, RuntimeError, ValueError)


def is_whole(digest: str, files: Mapping[str, bytes]) -> bool:
    """Return whether an artifact's files have the content that its digest and their names give."""
    return all(
        digest_of(content) == (digest if name == DESCRIPTOR else name.partition(".")[0])
        for name, content in files.items()
    )


def write_bundle(path: str | os.PathLike[str], artifacts: Iterable[tuple[str, Mapping[str, bytes]]]) -> None:
    """Write artifacts, each by its digest, into one file; the same artifacts give the same bytes."""
    with replacing(path) as aside, zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as bundle:
        for digest, files in sorted(dict(artifacts).items()):
            for name in sorted(files):
                # A ZipInfo made from a name alone has a fixed date.
                bundle.writestr(zipfile.ZipInfo(f"{digest}/{name}"), files[name], zipfile.ZIP_DEFLATED)


def read_bundle(
    path: str | os.PathLike[str], wanted: Mapping[str, Sequence[str]]
) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield the files of each artifact that is asked for, once their content is checked.

    Nothing but these files is looked at, whatever else is in the bundle.

    Args:
        path: the bundle.
        wanted: names of files by the artifact's digest.

    Raises:
        StoreError: the bundle is absent, damaged, or lacks an artifact.
    """
    try:
        with zipfile.ZipFile(Path(path)) as bundle:
            for digest, names in wanted.items():
                files = {name: _member(bundle, digest, name) for name in names}
                if not is_whole(digest, files):
                    raise ValueError(f"the content of {digest} does not match its digest")
                yield digest, files
    except _DAMAGE as error:
        raise StoreError(
            f"{path}: the bundle of exports is damaged ({error}); delete it and what it links to, and run again"
        ) from error


def _member(bundle: zipfile.ZipFile, digest: str, name: str) -> bytes:
    member = bundle.getinfo(f"{digest}/{name}")
    if member.file_size > (_MAX_DESCRIPTOR_BYTES if name == DESCRIPTOR else _MAX_BYTES):
        raise ValueError(f"{member.filename} says that it has {member.file_size:,} bytes")
    return bundle.read(member)
