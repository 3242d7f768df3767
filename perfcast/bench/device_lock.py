"""One campaign at a time: measurements that overlap on a device disturb each other."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from perfcast.errors import StoreError
from perfcast.storage import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

MOMENT_S = 1.0
VARIABLE = "PERFCAST_LOCKS"
"""The environment variable that names another folder of locks, such as one that containers of a machine share."""

_FOLDER = "/tmp"  # One for all users and all jobs, which $TMPDIR and $XDG_RUNTIME_DIR are not.
_LONGEST = 1000
_REMEDY = f"who measures here locks it: remove what is there, or set {VARIABLE} to a folder for all who measure here"


def lock_of(device: str) -> Path:
    """Return the file that whoever measures on ``device`` locks, whatever store it measures for."""
    return Path(os.environ.get(VARIABLE) or _FOLDER) / f"perfcast-{device}.lock"


@contextlib.contextmanager
def exclusive(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path``; while another process holds it, wait, and say for whom.

    The kernel frees the lock when its holder ends, however that comes. On a file system without such locks nothing
    is held. The folder may be one that all users write to: no link is followed, and a file that has another name
    too is refused.

    Args:
        path: a file of its own, which stays; it says who has the lock, or was killed as its holder.
        what: what there can be one of at a time, for the message.

    Raises:
        StoreError: there is no such file and none can be made, or it is something else.
    """
    with _held(_locked(path, what)):
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
    with _held(handle):
        yield path


@contextlib.contextmanager
def _held(handle: int) -> Iterator[None]:
    """Say in a lock file who holds it, as long as that is so."""
    try:
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


def _first_locked(paths: list[Path], what: str) -> tuple[Path, int]:
    import fcntl

    if len(paths) == 1:
        return paths[0], _locked(paths[0], what)
    is_said = False
    while True:
        for path in paths:
            handle = _open(path)
            with contextlib.suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(handle, path):
                    return path, handle
            os.close(handle)
        if not is_said:
            print(f"all devices are taken: waiting, as one process at a time may be {what}", file=sys.stderr)  # noqa: T201
            is_said = True
        time.sleep(MOMENT_S)


def _locked(path: Path, what: str) -> int:
    """Return a handle of the lock file, locked; start over where the file was deleted and made anew meanwhile."""
    while True:
        handle = _open(path)
        with contextlib.suppress(OSError):
            _lock(handle, what)
        if _is_at(handle, path):
            return handle
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _open_or_make(path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened ({error.strerror}); {_REMEDY}") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(handle)
        raise StoreError(f"{path}: is no plain file of one name; {_REMEDY}")
    return handle


def _open_or_make(path: Path) -> int:
    # Not made by opening: in a folder such as /tmp, kernels refuse to open another's file like that.
    known = os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        with contextlib.suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | known)
            except PermissionError:
                return os.open(path, os.O_RDONLY | known)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(handle, 0o666)  # Any user may be next, and says so in it.
            return handle


def _lock(handle: int, what: str) -> None:
    import fcntl  # Not everywhere; who only forecasts does without.

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"waiting for {_holder(handle)}: one process at a time may be {what}", file=sys.stderr)  # noqa: T201
        fcntl.flock(handle, fcntl.LOCK_EX)


def _holder(handle: int) -> str:
    """Say who holds the lock; a holder that has just come is given a moment to write its name."""
    deadline = time.monotonic() + MOMENT_S
    while True:
        try:
            said = json.loads(os.pread(handle, _LONGEST, 0))
            text = f"process {said['pid']} on {said['host']}, there since {said['since']}"
            return "".join(letter for letter in text if letter.isprintable())  # Anyone may have written it.
        except (ValueError, KeyError, TypeError, RecursionError):
            if time.monotonic() > deadline:
                return "another process"
            time.sleep(0.01)
