"""The exceptions of perfcast, as one tree; each knows the exit code that the command line gives it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from perfcast.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_SUBJECT_LENGTH = 200


class PerfcastError(Exception):
    """Something failed although the user asked for something sensible (exit code 1)."""

    exit_code = 1


class UsageError(PerfcastError):
    """The user's mistake: one line that names the file, key or row and says what to do (exit code 2)."""

    exit_code = 2


class SourceError(PerfcastError):
    """A model source could not be read or built; the message names the source."""


class StoreError(PerfcastError):
    """A stored file is damaged or does not match its digest."""


class NewerRecordError(StoreError):
    """A newer perfcast wrote a stored file."""


class DataError(PerfcastError):
    """A table does not hold what its schema promises."""


class PredictorError(PerfcastError):
    """A predictor folder is damaged, from a newer version, or lacks what was asked of it."""


class BenchmarkError(PerfcastError):
    """A measuring campaign could not go on."""


class LinkError(BenchmarkError):
    """A device was lost, or not reached: another start may go on where this one ended."""


class BusyError(BenchmarkError):
    """Somebody else measures on a device."""


@contextlib.contextmanager
def naming(subject: str) -> Iterator[None]:
    """Let each error inside begin with what it is about, which those who raise it need not know.

    Args:
        subject: a file, folder, address or name.

    Raises:
        UsageError: for one of its kind, and where the file system refuses.
        SourceError: for any other of perfcast's.
    """
    try:
        yield
    except (PerfcastError, OSError, RecursionError) as error:
        raise _named(subject, error) from error


def _named(subject: str, error: Exception) -> PerfcastError:
    shown = shorten(subject, _MAX_SUBJECT_LENGTH)
    if isinstance(error, OSError):
        return UsageError(f"{shown}: cannot be read ({error.strerror or error})")
    if isinstance(error, RecursionError):
        return SourceError(f"{shown}: nested too deeply")
    kind = UsageError if isinstance(error, UsageError) else SourceError
    return kind(str(error) if str(error).startswith(subject) else f"{shown}: {error}")
