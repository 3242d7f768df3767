"""Holding a device for one campaign: the lock that whoever measures on it takes, and who has it."""

import contextlib
import fcntl
import json
import os
import platform
import re
import signal
import stat
import time

from perfcast.runner.system_files import read_text

BUSY = 75
"""Exit status where somebody else measures: try again later (EX_TEMPFAIL of sysexits.h)."""
LOCKS, VARIABLE = "/tmp", "PERFCAST_LOCKS"
"""Where devices are locked: as perfcast does that measures the machine which it runs on."""
ORPHAN_ENDS_S = 20
LONGEST = 1000


class BusyError(Exception):
    """Somebody else measures on this device; the message says who."""


@contextlib.contextmanager
def held(token):
    """Hold this device's lock.

    `token` says for whom. A holder of the same token is what a cut link left here of an earlier run, since whoever
    sends a token has one run on this device at a time: it is ended.

    Raises BusyError where another holds it.
    """
    handle = opened(lock_of_this_device())
    try:
        take(handle, token)
        write(handle, {"pid": os.getpid(), "host": platform.node(), "token": token, "since": now()})
        try:
            yield
        finally:
            write(handle, None)
    finally:
        os.close(handle)


def lock_of_this_device():
    name = re.sub(r"[^A-Za-z0-9.-]", "-", platform.node()) or "this-machine"
    return os.path.join(os.environ.get(VARIABLE) or LOCKS, "perfcast-%s.lock" % name)


def opened(path):
    """Return a handle of the lock's file. The folder is everybody's: no link is followed."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(path, flags)  # Where it is another user's, Linux may refuse O_CREAT.
    except FileNotFoundError:
        handle = os.open(path, flags | os.O_CREAT, 0o666)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise SystemExit("%s: is no plain file; remove it: who measures on this device locks it" % path)
    with contextlib.suppress(OSError):  # Another user's, who has done so.
        os.fchmod(handle, 0o666)
    return handle


def take(handle, token):
    """Lock the file; end an orphan that has it: first it is asked, so that it can restore settings."""
    start, asked = time.monotonic(), None
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            holder = holder_of(handle)
        waited_s = time.monotonic() - start
        if not is_orphan(holder, token) or waited_s > 2 * ORPHAN_ENDS_S:
            raise BusyError(described(holder))
        number = signal.SIGKILL if waited_s > ORPHAN_ENDS_S else signal.SIGTERM
        if number != asked:
            with contextlib.suppress(ProcessLookupError):  # It has just ended.
                os.kill(holder["pid"], number)
            asked = number
        time.sleep(0.1)


def is_orphan(holder, token):
    """Say whether a holder is what was started here with the same token; anyone may have written what it says."""
    if not holder or holder.get("token") != token:
        return False
    return token in (read_text("/proc/%d/cmdline" % holder["pid"]) or "")


def holder_of(handle):
    """Return what the holder says of itself, empty where it is nothing sensible."""
    try:
        said = json.loads(os.pread(handle, LONGEST, 0).decode())
        return said if type(said.get("pid")) is int and said["pid"] > 1 else {}
    except (ValueError, AttributeError):
        return {}


def described(holder):
    if not holder:
        return "another process measures there"
    text = "process %s measures there since %s" % (holder["pid"], holder.get("since"))
    return "".join(letter for letter in text if letter.isprintable())


def write(handle, holder):
    os.ftruncate(handle, 0)
    if holder:
        os.pwrite(handle, json.dumps(holder).encode(), 0)


def now():
    return time.strftime("%Y-%m-%d %H:%M:%S")
