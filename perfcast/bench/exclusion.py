"""One campaign at a time: measurements that overlap on a device disturb each other."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from typing import TYPE_CHECKING

from perfcast.errors import StoreError
from perfcast.storage import canonical_json, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


MOMENT_S = 1.0


@contextlib.contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``; while another process holds it, wait, and say for whom.

    The kernel frees the lock when its holder ends, however that comes. On a file system without such locks nothing
    is held.

    Args:
        path: a file of its own, which stays; it says who has the lock, or was killed as its holder.
        what: what there can be one of at a time, for the message.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _open(path)
    try:
        with contextlib.suppress(OSError):
            _lock(handle, path, what)
        holder = {"pid": os.getpid(), "host": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
        _write(handle, canonical_json(holder))
        try:
            yield
        finally:
            _write(handle, b"")  # Who has it next has not said so yet.
    finally:
        os.close(handle)


def _write(handle: int, content: bytes) -> None:
    with contextlib.suppress(OSError):  # Another user's file, which can be locked but not written.
        os.ftruncate(handle, 0)
        os.pwrite(handle, content, 0)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except PermissionError:
        return os.open(path, os.O_RDONLY)


def _lock(handle: int, path: Path, what: str) -> None:
    import fcntl  # Not everywhere; who only forecasts does without.

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for {_holder(path)}: one process at a time may be {what}", file=sys.stderr)  # noqa: T201
        fcntl.flock(handle, fcntl.LOCK_EX)


def _holder(path: Path) -> str:
    """Say who holds the lock; a holder that has just come is given a moment to write its name."""
    deadline = time.monotonic() + MOMENT_S
    while True:
        try:
            return "process {pid} on {host}, there since {since}".format(**read_json(path))
        except (StoreError, KeyError, TypeError):
            if time.monotonic() > deadline:
                return "another process"
            time.sleep(0.01)
