"""What the machine is, and how it is now."""

import glob
import os
import platform
import re

import numpy as np

from perfcast_runner import RUNNER_VERSION

UNLIMITED_BYTES = 1 << 60


def read_text(path):
    """Return the stripped content of a file, None where it cannot be read."""
    try:
        with open(path) as file:
            return file.read().strip()
    except (OSError, UnicodeDecodeError):
        return None


def field_of(path, key):
    """Return the value behind `key:` in a file such as /proc/cpuinfo, None where there is none."""
    match = re.search(r"^%s\s*:\s*(.+)$" % re.escape(key), read_text(path) or "", re.MULTILINE)
    return match.group(1).strip() if match else None


def kilobytes(path, key):
    """Return a `key: 123 kB` entry in bytes, None where there is none."""
    value = field_of(path, key)
    return int(value.split()[0]) * 1024 if value else None


def first_text(*patterns):
    """Return the content of the first readable file among glob patterns."""
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            text = read_text(path)
            if text is not None:
                return text
    return None


def as_number(text, scale=1.0):
    """Return the text as a number times scale, None where it is none."""
    try:
        return float(text) * scale
    except (TypeError, ValueError):
        return None


def read_memory_limit():
    """Return the container's memory limit in bytes, None where there is none."""
    text = first_text("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    limit = as_number(text)
    # The older interface says "no limit" by a number that no machine has.
    return None if limit is None or limit >= UNLIMITED_BYTES else int(limit)


def read_context(toolchain):
    """Return what the machine is: machine, software, settings."""
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', read_text("/etc/os-release") or "", re.MULTILINE)
    memory = "/proc/meminfo"
    return {
        "machine": {
            "host": platform.node(),
            "architecture": platform.machine(),
            "cpu": field_of("/proc/cpuinfo", "model name")
            or first_text("/proc/device-tree/model")
            or platform.processor(),
            "cpus": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "cpu_max_mhz": as_number(first_text("/sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"), 1e-3),
            "gpu": first_text("/proc/driver/nvidia/gpus/*/information", "/sys/module/nvidia/version"),
            "memory_bytes": kilobytes(memory, "MemTotal"),
            "swap_bytes": kilobytes(memory, "SwapTotal"),
        },
        "software": {
            "os": release.group(1) if release else platform.system(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            toolchain.name: toolchain.version(),
            "runner": RUNNER_VERSION,
        },
        "settings": {
            "governor": first_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
            "swappiness": as_number(read_text("/proc/sys/vm/swappiness")),
            "memory_limit_bytes": read_memory_limit(),
        },
    }


def read_state():
    """Return how the machine is now, as far as it says."""
    return {
        "load_1_minute": os.getloadavg()[0],
        "memory_available_bytes": kilobytes("/proc/meminfo", "MemAvailable"),
        "cpu_mhz": as_number(field_of("/proc/cpuinfo", "cpu MHz")),
        "temperature_c": as_number(first_text("/sys/class/thermal/thermal_zone*/temp"), 1e-3),
    }
