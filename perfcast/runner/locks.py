"""Locks: the kernel frees them however their holder ends, and the locked file names the holder.

A device and the machine that measures over it lock in the same way; perfcast on either uses this module. The folder
may be one that all users write to: no link is followed, and a file that has another name too is refused.
"""

import contextlib
import json
import os
import platform
import re
import stat
import time

from perfcast.runner.text import printable

try:
    import fcntl
except ImportError:  # Not everywhere: there nothing is held.
    fcntl = None

VARIABLE = "PERFCAST_LOCKS"
"""The environment variable that names another folder of locks, such as one that containers of a machine share."""
MOMENT_S = 1.0
_FOLDER = "/tmp"  # One for all users and all jobs, which $TMPDIR and $XDG_RUNTIME_DIR are not.
_MAX_LENGTH = 1000
_REMEDY = (
    "this file is the lock of this machine: remove what is there, or set %s to a folder that all users share" % VARIABLE
)
_KEYS = {"pid", "host", "since"}


class LockError(Exception):
    """A lock's file cannot be made, or is something else; the message says what to do."""


def this_machine():
    """Return this machine's name on the network, as it stands in the names of files."""
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "this-machine"


def path_of(device):
    """Return the path of the file that whoever measures on a device locks."""
    return os.path.join(os.environ.get(VARIABLE) or _FOLDER, "perfcast-%s.lock" % device)


def attempt(path):
    """Return a handle of the lock's file, and whether this process has the lock now; closing the handle frees it.

    Raises LockError.
    """
    while True:
        handle = _opened(path)
        is_ours = take(handle)
        if not is_ours or _is_at(handle, path):
            return handle, is_ours
        os.close(handle)  # Deleted meanwhile, and perhaps made again.


def locked(path, tell):
    """Return a handle of the lock's file once this process has the lock; closing it frees the lock.

    While another process has it, wait; `tell` is called before, with the handle. Raises LockError.
    """
    while True:
        handle, is_ours = attempt(path)
        if not is_ours:
            tell(handle)
            take(handle, wait=True)
            is_ours = _is_at(handle, path)
        if is_ours:
            return handle
        os.close(handle)


def take(handle, wait=False):
    """Lock an open file; return whether it is locked. On a file system without locks nothing is held, which is fine."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


@contextlib.contextmanager
def named(handle, **facts):
    """Name the holder in a lock's file, with further facts, for as long as it holds the lock; then free it."""
    try:
        holder = dict(facts, pid=os.getpid(), host=platform.node(), since=time.strftime("%Y-%m-%d %H:%M:%S"))
        write(handle, json.dumps(holder, sort_keys=True).encode())
        try:
            yield
        finally:
            write(handle, b"")  # Who has it next has not said so yet.
    finally:
        os.close(handle)


def write(handle, content):
    """Replace what a lock's file holds."""
    with contextlib.suppress(OSError):  # Another user's file, which can be locked but not written.
        os.ftruncate(handle, 0)
        os.pwrite(handle, content, 0)


def read(handle):
    """Return what a lock's file holds."""
    return os.pread(handle, _MAX_LENGTH, 0)


def holder_of(handle):
    """Return what the holder of a lock says of itself; one that has just come is given a moment to say it.

    Empty where it says nothing sensible: anyone may have written it.
    """
    deadline = time.monotonic() + MOMENT_S
    while True:
        try:
            holder = json.loads(read(handle).decode())
            if isinstance(holder, dict) and set(holder) >= _KEYS:
                return holder
        except (ValueError, RecursionError):
            pass
        if time.monotonic() > deadline:
            return {}
        time.sleep(0.01)


def described(holder):
    """Describe a holder, such as `process 12 on nano, running since 2026-11-30 12:00:00`."""
    if not holder:
        return "another process"
    return printable("process %s on %s, running since %s" % (holder["pid"], holder["host"], holder["since"]))


def _opened(path):
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        handle = _opened_or_made(path)
    except OSError as error:
        raise LockError("%s: cannot be opened (%s); %s" % (path, error.strerror, _REMEDY)) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(handle)
        raise LockError("%s: not a regular file with a single link; %s" % (path, _REMEDY))
    return handle


def _opened_or_made(path):
    # Not made by opening: in a folder such as /tmp, kernels refuse to open another's file like that.
    known = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    while True:
        with contextlib.suppress(FileNotFoundError):
            try:
                return os.open(path, os.O_RDWR | known)
            except PermissionError:
                return os.open(path, os.O_RDONLY | known)
        with contextlib.suppress(FileExistsError):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            os.chmod(handle, 0o666)  # Any user may be next, and says so in it.
            return handle


def _is_at(handle, path):
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
