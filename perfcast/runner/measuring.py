"""What a child does with its model on request."""

import contextlib
import time
import traceback

from perfcast.runner.clocks import process_time_ns
from perfcast.runner.memory import SystemMemory, peak_rss_bytes, release_free_memory, reset_peak
from perfcast.runner.outputs import ImplausibleOutputError
from perfcast.runner.sampling import run_for, time_runs, time_without_pause

QUICK_TRIES, ALL_TRIES = 2, 6


class StatusError(Exception):
    """An exception of a toolchain, with the status that it stands for; the message is the reason."""

    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


@contextlib.contextmanager
def explained(toolchain):
    """Have exceptions that a toolchain can explain bear the status that they stand for."""
    try:
        yield
    except Exception as error:
        status = toolchain.status_of(error)
        if status is None:
            raise
        raise StatusError(status, described(error)) from error


class Subject:
    """A model in its process: loaded once, then visited.

    `protocol` is the plan's. Answers are dictionaries of numbers and lists.
    """

    def __init__(self, toolchain, workload, task, protocol):
        self.toolchain, self.workload, self.task = toolchain, workload, task
        self.iterations = protocol["iterations"] // protocol["visits"]
        self.discard = protocol["discard"] // protocol["visits"]
        self.warmup_s = protocol.get("warmup_s", 0)
        self.memory = {}
        self.repeatable = workload.repeatable(task)
        self.system = SystemMemory()
        self.run = self.inputs = self.computed_on = None

    def obey(self, command):
        """Do what a command says; return the answer with the time that it took in here, and the CPUs' time."""
        start, used = time.monotonic(), process_time_ns()
        todo = {"load": self.load, "visit": self.visit, "sustain": self.sustain, "repeat": self.repeat}[command["do"]]
        with explained(self.toolchain):
            answer = todo(**command.get("with", {}))
        return dict(answer, seconds=time.monotonic() - start, cpu_ns=process_time_ns() - used)

    def load(self, is_known):
        """Load the model, check that its outputs are plausible, and start a new peak of memory.

        A model that is known needs no look at whether its outputs depend on the inputs.
        """
        start = time.monotonic()
        resettable = reset_peak()
        self.run = self.workload.load(self.toolchain, self.task)
        loaded = time.monotonic()
        self.system.look()
        self.inputs = self.workload.inputs(self.task)
        outputs = self.run(*self.inputs)
        called = time.monotonic()
        self.memory = {"load_peak_bytes": peak_rss_bytes(), "peak_resettable": resettable}
        self.workload.check(self.task, outputs)
        self.repeatable.compare(outputs)
        doubt = None if is_known else self.workload.doubt_of(self.task, self.run, outputs, QUICK_TRIES)
        self.system.look()
        del outputs
        release_free_memory()
        reset_peak()
        return {
            "load_s": loaded - start,
            "first_call_s": called - loaded,
            "load_peak_bytes": self.memory["load_peak_bytes"],
            "doubt": doubt,
        }

    def visit(self):
        """Time the samples of one visit; the first visit is what the memory holds for."""
        if self.warmup_s:
            run_for(self.run, self.inputs, self.warmup_s)
        samples = time_runs(self.run, self.inputs, self.iterations, self.repeatable.compare)
        samples["discarded"] = [index < self.discard for index in range(self.iterations)]
        if "run_peak_bytes" not in self.memory:
            self.system.look()
            self.memory["run_peak_bytes"] = peak_rss_bytes()
            self.memory["allocator_peak_bytes"] = self.toolchain.allocator_peak_bytes()
            self.memory["system_drop_bytes"] = self.system.drop_bytes()
            # Behind the memory, for asking may take some.
            self.computed_on = self.toolchain.computed_on()
        return {"samples": samples, "memory": self.memory, "computed_on": self.computed_on}

    def sustain(self, seconds):
        """Run without pause for so long, then time as many samples as a visit has."""
        elapsed, _ = run_for(self.run, self.inputs, seconds)
        return {
            "sustained": {"wall_ns": time_without_pause(self.run, self.inputs, self.iterations), "seconds": elapsed}
        }

    def repeat(self, seconds):
        """Run without pause for so long; return how long it took and how many runs that was."""
        elapsed, runs = run_for(self.run, self.inputs, seconds)
        return {"repeated": {"seconds": elapsed, "runs": runs}}


def look_deeper(toolchain, workload, task):
    """Return what is still to be doubted of a model once its outputs are seen before functions that may hide a change.

    With random weights a softmax may name one class with certainty whatever the input, and a lone unit may be off.
    """
    start = time.monotonic()
    with explained(toolchain):
        deeper = toolchain.before_saturation(task)
        run = workload.load(toolchain.for_a_look(), deeper)
        doubt = workload.doubt_of(deeper, run, run(*workload.inputs(deeper)), ALL_TRIES)
    return {"is_doubtful": doubt is not None, "seconds": time.monotonic() - start}


def why(error):
    """Return the status that an exception stands for, and the reason in words."""
    if isinstance(error, ImplausibleOutputError):
        return "rejected", str(error)[:500]
    if isinstance(error, MemoryError):
        return "out_of_memory", str(error)[:500] or "not enough memory"
    traceback.print_exception(type(error), error, error.__traceback__)
    if isinstance(error, StatusError):
        return error.status, str(error)
    return "failed", described(error)


def described(error):
    return "%s: %s" % (type(error).__name__, str(error).strip().split("\n")[0][:500])
