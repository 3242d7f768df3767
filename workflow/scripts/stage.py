"""What each stage's script does at its edge: a log, and an error in one line instead of a traceback."""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from perfcast.errors import PerfcastError


@contextlib.contextmanager
def stage(log: str) -> Iterator[Callable[[str], None]]:
    """Yield a function that writes a line to the log; an error of perfcast ends the script with its exit code.

    What native libraries and child processes say goes to the log; Python's own error stream (progress, errors)
    stays on the terminal.
    """
    Path(log).write_text("")
    # Appending: the runner and other libraries write to the same file.
    with Path(log).open("a", buffering=1) as file, os.fdopen(os.dup(2), "w", buffering=1) as terminal:
        os.dup2(file.fileno(), 2)
        sys.stderr = terminal
        try:
            yield lambda line: print(line, file=file)
        except PerfcastError as error:
            print(f"error: {error}", file=file)
            print(f"error: {error}", file=terminal)
            sys.exit(error.exit_code)
        except Exception as error:  # noqa: BLE001  (a bug: the log has all of it, the terminal one line)
            traceback.print_exc(file=file)
            print(f"error: {type(error).__name__}: {error}; all of it is in {log}", file=terminal)
            sys.exit(1)
        finally:
            sys.stderr = sys.__stderr__
