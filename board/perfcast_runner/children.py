"""Forked children, one a model: a crash or a kill takes one of them, not the campaign."""

import ctypes
import json
import os
import select
import signal
import sys
import time

from perfcast_runner.measuring import failure

PR_SET_PDEATHSIG = 1


def in_child(function, time_limit_s, starter=None):
    """Return what a function returns in a forked child, or the failure that ended the child.

    End with the process `starter`, once it is this one's parent no more.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        die_with_parent()
        if os.getppid() != parent:
            os._exit(1)  # It was killed before the kernel knew.
        status = 1
        try:
            with os.fdopen(writer, "w") as pipe:
                json.dump(function(), pipe)
            status = 0
        finally:
            os._exit(status)  # No clean-up of what the parent owns.
    os.close(writer)
    text, stopped = read_until(reader, time.monotonic() + time_limit_s, starter)
    os.close(reader)
    if stopped:
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if starter not in (None, os.getppid()):
        raise SystemExit("what started this has ended")
    if stopped:
        return failure("timed_out", "took more than %g s" % time_limit_s)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = " (the system kills like this when memory runs out)" if number == signal.SIGKILL else ""
        return failure("crashed", "killed by signal %d%s" % (number, hint))
    if status != 0:
        return failure("crashed", "ended with status %d" % os.WEXITSTATUS(status))
    return json.loads(text)


def die_with_parent():
    """Have the kernel end this process when its parent ends: nothing may go on measuring unseen.

    Return False where the kernel does not.
    """
    try:
        return ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) == 0
    except (OSError, AttributeError):
        return False  # Not Linux.


def read_until(reader, deadline, starter=None):
    """Read a pipe to its end; return the text and whether the deadline, or the process `starter`, passed first."""
    pieces = []
    while True:
        left = max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([reader], [], [], left if starter is None else min(left, 1.0))
        if not ready and left > 1.0 and starter == os.getppid():
            continue
        if not ready:
            return "", True
        piece = os.read(reader, 1 << 16)
        if not piece:
            return b"".join(pieces).decode(), False
        pieces.append(piece)
