"""What a power source is, and the two ways to read one: an energy counter, or readings taken at a known rate.

Nothing is estimated: a source that is not there, or says what cannot be, has a reason instead of a number.
"""

import contextlib
import subprocess
import threading
import time

from perfcast.runner.clocks import perf_counter_ns

MAX_W = 5000.0
"""More than any device that is measured here draws: the largest accelerators and pairs of processors take 1.5 kW."""
MIN_READINGS = 5
"""Of a block: fewer say little of its mean."""
START_LIMIT_S = 15.0
"""A tool that reports repeatedly must have begun by then; `nvidia-smi` may have to load the driver first."""
MAX_LINE_BYTES = 1 << 16
ENDING_S = 5.0


class AbsentError(Exception):
    """A power source cannot be used; `reason` says why, None where there simply is no such source."""

    def __init__(self, reason=None):
        super().__init__(reason or "there is none")
        self.reason = reason


class PowerSource:
    """What all sources share. Making one finds it below `root`, which is / but in tests.

    Raises:
        AbsentError: by making one, and by `during`.

    """

    name = None
    title = None
    """What messages call it."""
    device_kinds = ("cpu", "gpu")
    """Kinds of device whose power it says."""
    settling_s = 0.0
    """How long after a change of power its readings still hold some of what was before."""
    block_s = 0.5
    """How long power is averaged over."""
    period_s = None
    """Between readings; None for a counter, which is read before and after a block only."""

    def __init__(self, root="/"):
        self.root = root
        self.parts = ""
        """What it is the power of: names of zones or rails."""

    @property
    def duration_s(self):
        """How long to keep the device as it is for one block."""
        return self.settling_s + self.block_s

    def in_words(self):
        """Return how power is read, as it stands in the environment: the same each time."""
        how = "counter read before and after %g s" % self.block_s
        if self.period_s:
            how = "%g readings a second for %g s" % (1 / self.period_s, self.block_s)
        return "%s (%s), %s" % (self.name, self.parts, how)

    def during(self, act):
        """Return what `act` returns, the mean power while it ran in W, and how many readings that is of."""
        raise NotImplementedError


class SampledSource(PowerSource):
    """A source that says the power of the moment."""

    def sampling(self, readings, problems):
        """Return a context in which a thread appends (moment in ns, power in W), or why it cannot."""
        raise NotImplementedError

    def during(self, act):
        readings, problems = [], []
        with self.sampling(readings, problems):
            wait_for_either(readings, problems)
            start = perf_counter_ns()
            answer = act()
            end = perf_counter_ns()
        if problems:
            raise AbsentError(problems[0])
        first = start + int(self.settling_s * 1e9)
        kept = [watts for at, watts in readings if first <= at <= end]
        if len(kept) < MIN_READINGS:
            raise AbsentError("%s gave %d readings in %.1f s" % (self.title, len(kept), (end - start) * 1e-9))
        return answer, sum(kept) / len(kept), len(kept)


class PolledSource(SampledSource):
    """A source that is asked for each reading: `read_w` returns one."""

    @contextlib.contextmanager
    def sampling(self, readings, problems):
        ended = threading.Event()

        def poll():
            try:
                while not ended.wait(self.period_s):
                    readings.append((perf_counter_ns(), self.read_w()))
            except AbsentError as error:
                problems.append(str(error))

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


class StreamedSource(SampledSource):
    """A tool that prints a line per reading until it is ended: `command` starts it, `watts_in` reads a line."""

    @contextlib.contextmanager
    def sampling(self, readings, problems):
        try:
            quiet = subprocess.DEVNULL
            process = subprocess.Popen(self.command(), stdin=quiet, stdout=subprocess.PIPE, stderr=quiet)
        except OSError as error:
            raise AbsentError("%s cannot be run (%s)" % (self.title, error.strerror)) from None

        def listen():
            try:
                line = process.stdout.readline(MAX_LINE_BYTES)
                while line.endswith(b"\n"):  # Else it is cut off, and so may be a number in it.
                    readings.append((perf_counter_ns(), self.watts_in(line.decode("utf-8", "replace"))))
                    line = process.stdout.readline(MAX_LINE_BYTES)
                problems.append("%s ended early" % self.title)
            except AbsentError as error:
                problems.append(str(error))

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield
        finally:
            known = len(problems)
            process.kill()
            process.wait()
            thread.join(ENDING_S)
            del problems[known:]  # That it ended now is our doing.
            process.stdout.close()


def wait_for_either(readings, problems):
    deadline = time.monotonic() + START_LIMIT_S
    while not readings and not problems and time.monotonic() < deadline:
        time.sleep(0.002)


def plausible_w(watts, title):
    """Return a power. Raises AbsentError where no device can draw it: running things draw some."""
    if not 0 < watts <= MAX_W:
        raise AbsentError("%s says %g W, which cannot be" % (title, watts))
    return watts
