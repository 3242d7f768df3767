"""What may have slowed an inference down, counted around each one."""

import os

try:
    import resource
except ImportError:  # Not Unix.
    resource = None

TASKS = "/proc/self/task"
STAT = "/proc/stat"
RUSAGE = ("voluntary_switches", "involuntary_switches", "minor_faults", "major_faults")
NAMES = (*RUSAGE, "run_delay_ns", "steal_ns", "interrupt_ns")
IRQ, SOFTIRQ, STEAL = 6, 7, 8
REFRESH = 32


class Causes:
    """Lists of counts, one entry an inference; None for what this platform does not count.

    Each look counts since the look before; files stay open, so that it costs microseconds.
    """

    def __init__(self):
        self.delays = RunDelays()
        self.cpus = CpuTimes()
        counted = (resource is not None,) * len(RUSAGE) + (self.delays.counted, self.cpus.counted, self.cpus.counted)
        self.lists = {name: [] if known else None for name, known in zip(NAMES, counted)}
        self.kept = [values for values in (self.lists[name] for name in NAMES) if values is not None]
        self.looks = 0
        self.since = self.read()

    def add(self):
        """Add an entry for what happened since the last look; call right after an inference."""
        now = self.read()
        for values, new, old in zip(self.kept, now, self.since):
            values.append(new - old)
        self.since = now
        self.looks += 1
        if self.looks % REFRESH == 0:
            self.delays.refresh()

    def skip(self):
        """Leave out what happened since the last look."""
        self.since = self.read()

    def read(self):
        others = self.delays.read() + self.cpus.read()
        if resource is None:
            return others
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return (usage.ru_nvcsw, usage.ru_nivcsw, usage.ru_minflt, usage.ru_majflt, *others)

    def close(self):
        self.delays.close()
        self.cpus.close()


class RunDelays:
    """How long all threads of this process, taken together, have waited for a CPU while they could have run."""

    def __init__(self):
        self.total = 0
        self.files = {}  # By thread: [descriptor, content when last seen, ns that it says].
        self.refresh()
        # A kernel without this statistic has no such file, or one of zeros.
        self.counted = any(not said.startswith(b"0 ") for _, said, _ in self.files.values())

    def refresh(self):
        """Take in threads that started since; what they waited before is not counted."""
        try:
            threads = os.listdir(TASKS)
        except OSError:
            return
        for thread in threads:
            if thread not in self.files:
                try:
                    file = os.open("%s/%s/schedstat" % (TASKS, thread), os.O_RDONLY)
                except OSError:
                    continue
                said = read_line(file)
                self.files[thread] = [file, said, waited_ns(said)]

    def read(self):
        if not self.counted:
            return ()
        for thread, known in list(self.files.items()):
            said = read_line(known[0])
            if said == known[1]:  # Most threads sleep most of the time.
                continue
            if not said:  # It has ended.
                os.close(self.files.pop(thread)[0])
                continue
            waited = waited_ns(said)
            self.total += waited - known[2]
            known[1:] = said, waited
        return (self.total,)

    def close(self):
        for file, _, _ in self.files.values():
            os.close(file)
        self.files = {}


def read_line(file):
    try:
        return os.pread(file, 64, 0)
    except OSError:
        return b""


def waited_ns(said):
    """Return the second of the numbers in a thread's statistics: ns on a CPU, ns waiting for one, times it got one."""
    words = said.split()
    return int(words[1]) if len(words) > 1 else 0


class CpuTimes:
    """Time of all CPUs that went elsewhere: to other virtual machines, to interrupts."""

    def __init__(self):
        self.tick_ns = 10**9 // os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 0
        try:
            self.file = os.open(STAT, os.O_RDONLY)
        except OSError:
            self.file = None
        self.counted = self.file is not None and len(self.fields()) > STEAL

    def fields(self):
        return os.pread(self.file, 256, 0).split(b"\n", 1)[0].split()

    def read(self):
        """Return the ns that were stolen and those that went to interrupts, since the start of the system."""
        if not self.counted:
            return ()
        fields = self.fields()
        interrupts = int(fields[IRQ]) + int(fields[SOFTIRQ])
        return (int(fields[STEAL]) * self.tick_ns, interrupts * self.tick_ns)

    def close(self):
        if self.file is not None:
            os.close(self.file)
