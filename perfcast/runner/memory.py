"""Memory of this process and of the system."""

import ctypes
import gc
import mmap
import re

from perfcast.runner.system_files import kilobytes, read_text

ACTIVE, IDLE = 1000, 10


def reset_peak():
    """Start a new peak of the resident set; False where the kernel does not allow it."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        return True
    except OSError:
        return False


def peak_rss_bytes():
    """Return the peak of this process's resident set since the last reset, None where it is unknown.

    The kernel keeps this mark itself, page by page: no peak is too short for it, as some are for who looks at times.
    """
    return kilobytes("/proc/self/status", "VmHWM")


def resident_bytes():
    """Return this process's resident set now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def release_free_memory():
    """Hand freed memory back to the system, so that the next peak holds what is used."""
    gc.collect()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        pass  # Another C library: its allocator keeps what it keeps.


class OomScore:
    """Which process the kernel kills first when memory runs out: the active child, never the campaign.

    Active children rank highest, whatever they hold; idle ones just before their parent.
    """

    PATH = "/proc/self/oom_score_adj"

    def __init__(self):
        try:
            with open(self.PATH) as file:
                self.inherited = int(file.read())
        except (OSError, ValueError):
            self.inherited = None  # Not Linux.

    def be(self, rank):
        """Take a rank, ACTIVE or IDLE."""
        if self.inherited is None:
            return
        with open(self.PATH, "w") as file:
            file.write("%d" % min(ACTIVE, self.inherited + rank))


class SystemMemory:
    """How far the system's available memory falls below what it was at the start."""

    def __init__(self):
        self.at_start = self.lowest = self.available()

    @staticmethod
    def available():
        """Return the memory that a new process could have, None where the system does not say.

        What a large process gave back stays with the CPUs for seconds since Linux 6.7, up to gigabytes, and is not
        counted as available meanwhile.
        """
        available = kilobytes("/proc/meminfo", "MemAvailable")
        counts = re.findall(r"^ +count: +(\d+)$", read_text("/proc/zoneinfo") or "", re.MULTILINE)
        return None if available is None else available + sum(map(int, counts)) * mmap.PAGESIZE

    def look(self):
        now = self.available()
        if now is not None and now < self.lowest:
            self.lowest = now

    def drop_bytes(self):
        return None if self.at_start is None else self.at_start - self.lowest
