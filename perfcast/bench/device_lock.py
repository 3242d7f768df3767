"""One campaign at a time: measurements that overlap on a device disturb each other."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import StoreError
from perfcast.runner import locks

if TYPE_CHECKING:
    from collections.abc import Iterator


def lock_of(device: str) -> Path:
    """Return the file that whoever measures on ``device`` locks, whatever store it measures for."""
    return Path(locks.path_of(device))


@contextlib.contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``; while another process holds it, wait, and say for whom.

    The kernel frees the lock when its holder ends, however that comes. On a file system without such locks nothing
    is held.

    Args:
        path: a file of its own, which stays; it says who has the lock, or was killed as its holder.
        what: what there can be one of at a time, for the message.

    Raises:
        StoreError: there is no such file and none can be made, or it is something else.
    """
    with locks.named(_first_locked([path], what)[1]):
        yield


@contextlib.contextmanager
def first_free(paths: list[Path], what: str) -> Iterator[Path]:
    """Hold the first of these lock files that nobody holds, and yield which; while all are held, wait.

    Args:
        paths: as `exclusive` takes each.
        what: what there can be one of at a time with each, for the message.

    Raises:
        StoreError: one cannot be made, or is something else.
    """
    path, handle = _first_locked(paths, what)
    with locks.named(handle):
        yield path


def _first_locked(paths: list[Path], what: str) -> tuple[Path, int]:
    try:
        if len(paths) == 1:
            return paths[0], locks.locked(str(paths[0]), lambda handle: _say(_holder(handle), what))
        return _polled(paths, what)
    except locks.LockError as error:
        raise StoreError(str(error)) from error


def _polled(paths: list[Path], what: str) -> tuple[Path, int]:
    is_said = False
    while True:
        for path in paths:
            handle, is_ours = locks.attempt(str(path))
            if is_ours:
                return path, handle
            os.close(handle)
        if not is_said:
            _say("a device, as all are taken", what)
            is_said = True
        time.sleep(locks.MOMENT_S)


def _holder(handle: int) -> str:
    return str(locks.described(locks.holder_of(handle)))


def _say(awaited: str, what: str) -> None:
    print(f"waiting for {awaited}: only one process at a time may be {what}", file=sys.stderr)  # noqa: T201
