"""A model as the campaign sees it: its process, its visits so far, and what measuring it cost."""

import functools
import time

from perfcast.runner.children import Child, TaskFailure, in_child
from perfcast.runner.clocks import process_time_ns, wall_clock
from perfcast.runner.cpu_contention import CpuContention
from perfcast.runner.machine import read_state, swapped_pages
from perfcast.runner.measuring import Subject, look_deeper
from perfcast.runner.memory_budget import available_bytes

QUICK_S = 0.1


class Model:
    """A task of a plan. `visits` holds (median in ns, disturbed) of each visit, those of earlier runs included."""

    def __init__(self, task, visits=()):
        self.task = task
        self.key = task["key"]
        self.visits = list(visits)
        # It failed while others were loaded, and is retried alone.
        self.is_alone = task["alone"]
        # How many visits its last answer holds, None without one; what its last visit took in s.
        self.answered = len(self.visits) if task["answered"] else None
        self.can_wait = task["can_wait"]
        self.cost_s = None
        self.process = None

    def visit(self, bench):
        """Make a visit, in a new process where there is none or it costs little; return its own part of the answer.

        Where things come to lie in memory makes small models up to 1.5 times as slow, for as long as a process lives:
        visits to several processes show that.

        Raises:
            TaskFailure: the model could not be loaded or visited.

        """
        start = time.monotonic()
        visit = {"started_at": wall_clock(), "state": read_state()}
        idle_w = bench.meter and bench.meter.idle_w()
        if self.process is None:
            self.process = Process(bench, self.task, bench.protocol)
            self.process.load()
        elif self.process.is_resting or self.process.loads_quickly():
            self.process.load_again()
        others, used_before, swapped_before = CpuContention(), process_time_ns(), swapped_pages()
        before = bench.calibration.time_ns()
        visit["samples"], used_ns = self.process.visit()
        elsewhere = bench.why_elsewhere(self.process.computed_on)
        if elsewhere:
            raise TaskFailure("unsupported", elsewhere)
        visit["calibration"] = {"before_ns": before, "after_ns": bench.calibration.time_ns()}
        visit["state"]["others_cpus"] = others.used_cpus(process_time_ns() - used_before + used_ns)
        visit["state"]["swapped_meanwhile"] = None if swapped_before is None else swapped_pages() - swapped_before
        if bench.meter:
            visit["power"] = bench.meter.under_load(self.process, idle_w)
        self.cost_s = time.monotonic() - start
        self.process.spent_s += self.cost_s
        return visit


class Process:
    """A child that holds a model, and what that has taken so far.

    Raises:
        TaskFailure: by all that asks the child for something.

    """

    def __init__(self, bench, task, protocol):
        self.bench, self.task, self.protocol = bench, task, protocol
        self.limit_s = bench.limit_s
        self.active_s = self.inside_s = self.samples_s = self.spent_s = self.visit_s = 0.0
        self.child = self.loaded = self.memory = self.computed_on = None
        self.is_resting = False

    def load(self):
        self.start()
        # Repetitions run the same program: what was doubted of it once is settled.
        program = self.task.get("program")
        self.loaded = self.ask("load", is_known=program in self.bench.settled_programs)
        if self.loaded["doubt"]:
            stays = self.has_room_for_another()
            if not stays:
                self.child.end()
            self.look_deeper(self.loaded["doubt"])
            if not stays:
                self.load_known()
        if program:  # The null model has none.
            self.bench.settled_programs.add(program)

    def has_room_for_another(self):
        """Say whether memory holds a second process like this one, and as much again for what it computes."""
        left, needed = available_bytes(), self.loaded["load_peak_bytes"]
        return left is not None and needed is not None and left > 2 * needed

    def load_again(self):
        """Load the model in a new child instead of this one."""
        self.child.end()
        self.load_known()

    def rest(self):
        """End the child, until the model is needed again."""
        self.end()
        self.is_resting = True

    def load_known(self):
        self.start()
        self.is_resting = False
        self.loaded = self.ask("load", is_known=True)

    def loads_quickly(self):
        """Say whether loading takes no longer than a visit, or hardly any time."""
        return self.loaded["load_s"] + self.loaded["first_call_s"] <= max(QUICK_S, self.visit_s)

    def start(self):
        subject = Subject(self.bench.toolchain, self.bench.workload, self.task, self.protocol)
        self.child = self.within_limit(lambda _: Child(subject.obey, self.bench.parent_pid, self.bench.spawns))

    def look_deeper(self, doubt):
        """Raise TaskFailure unless a doubt is unfounded: in its own process, since it would leave traces in memory."""
        look = functools.partial(look_deeper, self.bench.toolchain, self.bench.workload, self.task)
        answer = self.within_limit(lambda left_s: in_child(look, left_s, self.bench.parent_pid, self.bench.spawns))
        self.inside_s += answer["seconds"]
        if answer["is_doubtful"]:
            raise TaskFailure("rejected", doubt)

    def visit(self):
        """Return the samples of a visit, and the CPU time that it took in ns."""
        answer = self.ask("visit")
        self.memory, self.computed_on = answer["memory"], answer["computed_on"]
        self.visit_s = sum(answer["samples"]["wall_ns"]) * 1e-9
        self.samples_s += self.visit_s
        return answer["samples"], answer["cpu_ns"]

    def sustain(self, seconds):
        """Return the times after so many seconds under load, which do not count for the time limit."""
        self.limit_s += seconds
        if self.is_resting:
            self.load_known()
        return self.ask("sustain", seconds=seconds)["sustained"]

    def repeat(self, seconds):
        """Run for so many seconds, which do not count for the time limit; return how long it took, and the runs."""
        self.limit_s += seconds
        return self.ask("repeat", seconds=seconds)["repeated"]

    def ask(self, what, **arguments):
        command = {"do": what, "with": arguments}
        answer = self.within_limit(lambda left_s: self.child.ask(command, left_s))
        self.inside_s += answer["seconds"]
        return answer

    def within_limit(self, act):
        """Return what `act` returns, given the seconds left of the limit; it counts as active time."""
        start = time.monotonic()
        try:
            return act(self.limit_s - self.active_s)
        except TaskFailure as failed:
            if failed.status == "timed_out":
                raise TaskFailure("timed_out", "took more than %g s" % self.limit_s) from None
            raise
        finally:
            self.active_s += time.monotonic() - start

    def end(self):
        """End the child."""
        start = time.monotonic()
        if self.child:
            self.child.end()
        elapsed_s = time.monotonic() - start
        self.active_s += elapsed_s
        self.spent_s += elapsed_s

    def peak_bytes(self):
        """Return the largest resident set that is known of a child that has ended, None where none is."""
        peaks = [self.child and self.child.peak_bytes, self.loaded and self.loaded["load_peak_bytes"]]
        return max((peak for peak in peaks if peak is not None), default=None)

    def timing(self):
        """Return what measuring took, in s, once the child has ended."""
        return {
            "load_s": self.loaded["load_s"],
            "first_call_s": self.loaded["first_call_s"],
            "fork_s": self.active_s - self.inside_s,
            "overhead_s": self.spent_s - self.samples_s,
        }
