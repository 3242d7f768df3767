"""What the control groups that this process is in, those of a container among them, leave it of memory and CPUs."""

import os

from perfcast.runner.system_files import as_number, read_text, under

TOP = "/sys/fs/cgroup"
UNLIMITED_BYTES = 1 << 60
"""The older interface says "no limit" by a number that no machine has."""


def memory_limit_bytes(root="/"):
    """Return the least memory limit in bytes, None where there is none."""
    peaks = [as_number(text) for text in contents(root, "memory", "memory.max", "memory.limit_in_bytes")]
    return min((int(limit) for limit in peaks if limit is not None and limit < UNLIMITED_BYTES), default=None)


def cpu_quota(root="/"):
    """Return how many CPUs' time the process may take, such as 1.5; None where there is no limit."""
    pairs = [text.split() for text in contents(root, "cpu", "cpu.max")]
    pairs += zip(contents(root, "cpu", "cpu.cfs_quota_us"), contents(root, "cpu", "cpu.cfs_period_us"))
    shares = [(as_number(quota), as_number(period)) for quota, period in pairs]
    # No limit is "max" in one version and -1 in the other.
    return min((quota / period for quota, period in shares if quota is not None and quota > 0), default=None)


def contents(root, controller, *names):
    """Return what stands in files of these names, in the process's own group and in all around it."""
    found = [read_text(os.path.join(folder, name)) for folder in folders(controller, root) for name in names]
    return [text for text in found if text is not None]


def folders(controller, root="/"):
    """Return the folders of the groups of a controller that this process is in, of either version, innermost first.

    A container may see a path that only its host has: the part that exists counts, at least the top.
    """
    found = []
    for line in (read_text(under(root, "/proc/self/cgroup")) or "").split("\n"):
        _, controllers, path = line.split(":", 2) if line else ("", "none", "")
        if controllers and controller not in controllers.split(","):
            continue
        top = under(root, os.path.join(TOP, controller) if controllers else TOP)
        folder = top + os.path.normpath("/" + path).rstrip("/")
        while folder.startswith(top):
            found.append(folder)
            folder = os.path.dirname(folder)
    return [folder for folder in found if os.path.isdir(folder)]
