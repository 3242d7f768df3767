"""What others did on the CPUs while a model was visited."""

import os

from perfcast.runner.clocks import perf_counter_ns

STAT = "/proc/stat"
IDLE, IOWAIT = 4, 5
# The system counts in ticks of a clock, CPU by CPU; a look may come just before or after one.
UNCERTAIN_TICKS = 2


def usable_cpus():
    """Return the numbers of the CPUs that this process may use, in order."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count()))


class CpuContention:
    """How much CPU time others use: other processes, interrupts, other machines on the same hardware.

    It is what was neither idle nor this campaign's, on the CPUs that this process may use.
    """

    def __init__(self):
        self.tick_ns = 10**9 // os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else None
        self.cpus = usable_cpus()
        self.start()

    def start(self):
        self.since_ns = perf_counter_ns()
        self.idle_since = self.idle_ns()

    def used_cpus(self, own_ns):
        """Return how many CPUs others kept busy since the start, 0 where the clock's ticks may have; None if unknown.

        `own_ns` is the CPU time that this campaign has used since.
        """
        wall_ns, idle = perf_counter_ns() - self.since_ns, self.idle_ns()
        both = [cpu for cpu in idle if cpu in self.idle_since]
        if not both or not wall_ns:
            return None
        idle_ns = sum(idle[cpu] - self.idle_since[cpu] for cpu in both)
        used_ns = len(both) * wall_ns - idle_ns - own_ns
        return max(0.0, used_ns - UNCERTAIN_TICKS * self.tick_ns) / wall_ns

    def idle_ns(self):
        """Return the time that each CPU was idle since the system's start, by its number; empty where it is unknown."""
        try:
            with open(STAT) as file:
                lines = [line.split() for line in file if line.startswith("cpu")]
        except OSError:
            return {}
        # Some sandboxes say zeros.
        fields = {int(words[0][3:]): words for words in lines if words[0] != "cpu" and set(words[1:]) != {"0"}}
        return {
            cpu: (int(fields[cpu][IDLE]) + int(fields[cpu][IOWAIT])) * self.tick_ns
            for cpu in self.cpus
            if cpu in fields
        }
