"""The lock that a campaign holds on its device, and who has it."""

import contextlib
import os
import signal
import time

from perfcast.runner import locks
from perfcast.runner.system_files import read_text

ORPHAN_ENDS_S = 20


class BusyError(Exception):
    """Somebody else measures on this device; the message says who."""


@contextlib.contextmanager
def hold_device(token):
    """Hold this device's lock.

    `token` says for whom. A holder of the same token is what a cut link left here of an earlier run, since whoever
    sends a token has one run on this device at a time: it is ended.

    Raises BusyError where another holds it.
    """
    try:
        handle = acquire(locks.path_of(locks.this_machine()), token)
    except locks.LockError as error:
        raise SystemExit(str(error)) from None
    with locks.named(handle, token=token):
        yield


def acquire(path, token):
    """Return a handle of the locked file; end an orphan that has it, by asking first: it has settings to restore."""
    start, asked = time.monotonic(), None
    while True:
        handle, is_ours = locks.attempt(path)
        if is_ours:
            return handle
        holder = locks.holder_of(handle)
        os.close(handle)
        waited_s = time.monotonic() - start
        if not is_orphan(holder, token) or waited_s > 2 * ORPHAN_ENDS_S:
            raise BusyError("busy: " + locks.described(holder))
        number = signal.SIGKILL if waited_s > ORPHAN_ENDS_S else signal.SIGTERM
        if number != asked:
            with contextlib.suppress(ProcessLookupError):  # It has just ended.
                os.kill(holder["pid"], number)
            asked = number
        time.sleep(0.1)


def is_orphan(holder, token):
    """Say whether a holder is what was started here with the same token; anyone may have written what it says."""
    pid = holder.get("pid")
    if type(pid) is not int or pid <= 1 or holder.get("token") != token:
        return False
    return token in (read_text("/proc/%d/cmdline" % pid) or "")
