"""Waiting for what another process does: until it is done, and not longer."""

import contextlib
import time

import psutil


def eventually(find, within_s=180.0, said=None):
    """Return what ``find`` returns once that is true; a process that has just ended is not found.

    Args:
        find: what is looked for.
        within_s: how long at most: much more than it takes, as the machine may be busy.
        said: a function that returns what to add to the failure's message.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := find():
                return found
        time.sleep(0.02)
    raise AssertionError("it never came to that; " + (said() if said else ""))
