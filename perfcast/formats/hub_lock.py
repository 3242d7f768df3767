"""One download of an entry of TensorFlow Hub's cache at a time, and nothing that a killed one leaves in the way.

Hub's own lock is a file that stays where its process is killed; the next one waits ten minutes for it. Beside it
there is a lock here that the system frees when its holder dies, and in it who held it last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
from typing import TYPE_CHECKING

from perfcast.runner import locks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def downloading(entry: Path, handle: str) -> Iterator[None]:
    """Hold the lock of a cache's entry; wait, and say so on standard error, while another process holds it.

    What a process of perfcast that was killed over the same entry left is gone by then: Hub's lock, and what it
    had downloaded and unpacked so far.

    Args:
        entry: the folder in the cache.
        handle: what is downloaded.

    Raises:
        OSError: the cache cannot be written.
    """
    path = entry.parent / f".{entry.name}.perfcast-lock"
    descriptor = _acquired(path, handle)
    try:
        _remove_left_behind(entry, locks.read(descriptor).decode(errors="replace"))
        locks.write(descriptor, f"{socket.gethostname()}.{os.getpid()}.".encode())
        if _lock_of_hub(entry).exists():
            _say(handle)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def prefix_of(entry: str) -> str:
    """Return what folders begin with that an entry is downloaded to; `entry` may be a name of its temporary one."""
    return f".download.{entry.partition('.')[0]}."


def _acquired(path: Path, handle: str) -> int:
    try:
        return int(locks.locked(str(path), lambda _: _say(handle)))
    except locks.LockError as error:
        raise OSError(str(error)) from error


def _say(handle: str) -> None:
    print(f"waiting for another process that is downloading {handle}", file=sys.stderr, flush=True)  # noqa: T201


def _lock_of_hub(entry: Path) -> Path:
    return entry.parent / f"{entry.name}.lock"


def _remove_left_behind(entry: Path, last: str) -> None:
    """Remove what the last holder of the lock left; it is dead, or it would have removed the lock's file."""
    if not last:
        return
    for room in entry.parent.glob(f"{prefix_of(entry.name)}*"):
        shutil.rmtree(room, ignore_errors=True)
    lock = _lock_of_hub(entry)
    try:
        holder = lock.read_text(errors="replace")
    except FileNotFoundError:
        return
    # Hub's lock holds its process and the name of what it unpacks to. It may be one of who uses Hub without this.
    if holder.startswith(last):
        shutil.rmtree(entry.parent / f"{entry.name}.{holder.removeprefix(last)}.tmp", ignore_errors=True)
        lock.unlink(missing_ok=True)
