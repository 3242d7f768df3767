"""What each stage's script does at its edge: a log, and an error in one line instead of a traceback."""

import contextlib
import fcntl
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from perfcast.errors import PerfcastError
from perfcast.pipeline.times import took


@contextlib.contextmanager
def stage(log: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that writes a line to the log; an error of perfcast ends the script with its exit code.

    What native libraries and child processes say goes to the log; Python's own error stream (progress, errors)
    stays on the terminal. Where the log cannot be written, such as on a full disk, the rest continues without it.
    """
    end_with_snakemake()
    # Appending: the runner and other libraries write to the same file.
    with _emptied(log) as file, os.fdopen(os.dup(2), "w", buffering=1) as terminal:
        os.dup2(file.fileno(), 2)
        sys.stderr = terminal

        def note(line: str) -> None:
            with contextlib.suppress(OSError):
                file.write(f"{line}\n".encode())

        try:
            yield note
            note(took())
        except PerfcastError as error:
            note(f"error: {error}")
            print(f"error: {error}", file=terminal)
            sys.exit(error.exit_code)
        except Exception as error:  # noqa: BLE001  (a bug: the log has all of it, the terminal one line)
            note(traceback.format_exc())
            print(f"error: {type(error).__name__}: {error}; the traceback is in {log}", file=terminal)
            sys.exit(1)
        finally:
            sys.stderr = sys.__stderr__


def _emptied(log: str) -> IO[bytes]:
    """Open the log, unbuffered: what cannot be written is not tried again when it is closed."""
    try:
        Path(log).write_bytes(b"")
        return Path(log).open("ab", buffering=0)
    except OSError as error:
        print(f"error: {log}: cannot be written ({error.strerror})", file=sys.stderr)
        sys.exit(1)


def end_with_snakemake() -> None:
    """End this process when the Snakemake that started it ends, so that no next run meets it at work.

    That Snakemake holds a lock for as long as it lives; where it left none, or none that can be seen from here,
    nothing happens.
    """
    path = os.environ.get("PERFCAST_LIFELINE", "")
    if Path(path).is_file():
        threading.Thread(target=_end_when_free, args=(path,), daemon=True).start()


def _end_when_free(path: str) -> None:
    with Path(path).open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH)  # The kernel wakes this thread, which costs the others nothing.
        except OSError:
            return  # A file system without such locks.
        os._exit(1)
