"""The exceptions of perfcast, as one tree; each knows the exit code that the command line gives it."""


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
