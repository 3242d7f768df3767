"""Memory that is left, and whom the system killed for lack of it."""

import os

from perfcast.runner.cgroups import UNLIMITED_BYTES, folders
from perfcast.runner.system_files import as_number, kilobytes, read_text

# Limit, usage, and which part of the usage the system drops when it has to; in the first and second version.
FILES = (
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ("memory.max", "memory.current", "inactive_file"),
)
KILLS = ("memory.oom_control", "memory.events")


def available_bytes():
    """Return how much memory this process may still take without swapping, None where the system does not say.

    The least of what the system has available and of what each control group leaves below its limit.
    """
    amounts = [kilobytes("/proc/meminfo", "MemAvailable")]
    amounts += [left_in(folder, *files) for folder in folders("memory") for files in FILES]
    return min((amount for amount in amounts if amount is not None), default=None)


def left_in(folder, limit_file, usage_file, idle_key):
    """Return the bytes that a group leaves below its limit, None where it has none."""
    limit = as_number(read_text(os.path.join(folder, limit_file)))
    usage = as_number(read_text(os.path.join(folder, usage_file)))
    if limit is None or usage is None or limit >= UNLIMITED_BYTES:
        return None
    idle = count_in(os.path.join(folder, "memory.stat"), idle_key) or 0
    return max(0, int(limit - usage) + idle)


def killed_for_memory():
    """Return how many processes the system has killed for lack of memory, by who counts: a group, the machine.

    Empty where nobody counts, as in Linux before 4.13.
    """
    paths = [os.path.join(folder, name) for folder in folders("memory") for name in KILLS] + ["/proc/vmstat"]
    counts = {path: count_in(path, "oom_kill") for path in paths}
    return {path: count for path, count in counts.items() if count is not None}


def count_in(path, key):
    """Return the number behind a key in a file of `key number` lines, None where there is none."""
    for line in (read_text(path) or "").split("\n"):
        words = line.split()
        if len(words) == 2 and words[0] == key:
            return int(words[1])
    return None
