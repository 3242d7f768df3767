"""What the machine is, and how it is now; `root` is / but in tests."""

import os
import platform
import re

import numpy as np

from perfcast.runner.cgroups import cpu_quota, memory_limit_bytes
from perfcast.runner.identity import identity
from perfcast.runner.protocol import RUNNER_VERSION
from perfcast.runner.settings import KINDS
from perfcast.runner.system_files import as_number, distinct, field_of, first_text, kilobytes, read_text, texts, under

CPUS = "/sys/devices/system/cpu/"
SIZE_UNITS = {"K": 1 << 10, "M": 1 << 20}
COLDEST_C, HOTTEST_C = -40.0, 150.0
"""Zones that are off say what no board survives."""
PROCESSOR_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
THROTTLE_COUNTS = (
    CPUS + "cpu[0-9]*/thermal_throttle/*_throttle_count",  # Intel: core and package.
    "/sys/class/hwmon/hwmon*/oc*_event_cnt",  # Jetson: over-current and under-voltage.
)


def read_environment(toolchain, outcome=None, root="/", given=None, variables=None, power=None):
    """Return what the machine is: `protocol.PARTS`; the same each time, as long as nothing is changed.

    `outcome` is what `applied` yields: what it could not set becomes part of the settings, in words. `given` is what
    whoever started this in a container knows better: which machine it is and how it is set. `variables` are the
    environment variables that go on record. `power` is the source that power is read from, None where it is not
    measured: then the environment is what it is without.
    """
    release = re.search(r'^PRETTY_NAME="?([^"\n]*)', read_text(under(root, "/etc/os-release")) or "", re.MULTILINE)
    refused = sorted((outcome or {}).get("refused", {}).items())
    return {
        "machine": dict(read_machine(root), **(given["identity"] if given else {})),
        "software": {
            "os": release.group(1) if release else platform.system(),
            "kernel": platform.release(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "nvidia_driver": first_text(under(root, "/sys/module/nvidia/version")),
            toolchain.name: toolchain.version(),
            "runner": RUNNER_VERSION,
        },
        "settings": dict(
            {kind.name: kind(root).fact() for kind in KINDS},
            **(given["facts"] if given else {}),
            memory_limit_bytes=memory_limit_bytes(root),
            cpu_quota=cpu_quota(root),
            refused="; ".join("%s: %s" % item for item in refused) or None,
            **({"power": power.in_words()} if power else {}),
        ),
        "variables": dict(variables or {}),
    }


def read_machine(root="/"):
    """Return what no software changes."""
    cpuinfo, meminfo = under(root, "/proc/cpuinfo"), under(root, "/proc/meminfo")
    return dict(
        dict(cache_sizes(root), **identity(root)),
        host=platform.node(),
        architecture=platform.machine(),
        cpu=field_of(cpuinfo, "model name") or board_name(root) or platform.processor(),
        cpus=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        cpu_max_mhz=as_number(first_text(under(root, CPUS + "cpu0/cpufreq/cpuinfo_max_freq")), 1e-3),
        board=board_name(root),
        gpu=gpu_name(root),
        memory_bytes=kilobytes(meminfo, "MemTotal"),
        swap_bytes=kilobytes(meminfo, "SwapTotal"),
    )


def board_name(root):
    """Return what a board calls itself, None where nothing does."""
    return first_text(under(root, "/proc/device-tree/model"))


def gpu_name(root):
    """Return the names of NVIDIA's cards, or what a board's GPU is compatible with; None where there is none."""
    cards = texts(under(root, "/proc/driver/nvidia/gpus/*/information"))
    built_in = first_text(*[under(root, "/proc/device-tree/%sgpu*/compatible" % bus) for bus in ("", "*/")])
    models = distinct(filter(None, (field_of(card, "Model") for card in cards)))
    return models or (built_in or "").split("\0")[0] or None


def cache_sizes(root):
    """Return the sizes in bytes of the first CPU's caches for data, by level."""
    sizes = {}
    for path, level in texts(under(root, CPUS + "cpu0/cache/index*/level")).items():
        size = re.match(r"(\d+)([KM])\Z", sibling(path, "size"))
        if size and sibling(path, "type") != "Instruction":
            sizes["cache_l%s_bytes" % level] = int(size.group(1)) * SIZE_UNITS[size.group(2)]
    return sizes


def read_state(root="/"):
    """Return how the machine is now, as far as it says; null where it does not."""
    return {
        "load_1_minute": os.getloadavg()[0],
        "memory_available_bytes": kilobytes(under(root, "/proc/meminfo"), "MemAvailable"),
        "cpu_mhz": cpu_mhz(root),
        "temperature_c": hottest_c(root),
        "throttle_count": throttle_count(root),
    }


def cpu_mhz(root="/"):
    """Return the clock of the first CPU that this process may use."""
    cpu = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    khz = as_number(read_text(under(root, CPUS + "cpu%d/cpufreq/scaling_cur_freq" % cpu)))
    return as_number(field_of(under(root, "/proc/cpuinfo"), "cpu MHz")) if khz is None else khz / 1e3


def hottest_c(root="/"):
    """Return the temperature of the hottest zone, or of the processor's own sensors where there are no zones.

    Left out are zones that are off, and those of Jetsons' power circuit, which say 50 or 100 whatever happens.
    """
    zones = texts(under(root, "/sys/class/thermal/thermal_zone*/temp"))
    zones = {path: text for path, text in zones.items() if not sibling(path, "type").lower().startswith("pmic")}
    if not zones:
        sensors = texts(under(root, "/sys/class/hwmon/hwmon*/temp*_input"))
        zones = {path: text for path, text in sensors.items() if sibling(path, "name") in PROCESSOR_SENSORS}
    degrees = [as_number(text, 1e-3) for text in zones.values()]
    return max((value for value in degrees if value is not None and COLDEST_C < value < HOTTEST_C), default=None)


def throttle_count(root="/"):
    """Return how often heat or lack of power has lowered clocks since the start, None where nothing counts that."""
    counts = texts(*[under(root, pattern) for pattern in THROTTLE_COUNTS])
    if not counts:  # Kernels of boards count each change of a limit to the CPUs' clocks.
        changes = texts(under(root, "/sys/class/thermal/cooling_device*/stats/total_trans"))
        counts = {path: text for path, text in changes.items() if "cpufreq" in sibling(os.path.dirname(path), "type")}
    numbers = [as_number(text) for text in counts.values()]
    return sum(number for number in numbers if number is not None) if numbers else None


def swapped_pages(root="/"):
    """Return how many pages the system has swapped in and out since the start."""
    counts = re.findall(r"^pswp(?:in|out) (\d+)$", read_text(under(root, "/proc/vmstat")) or "", re.MULTILINE)
    return sum(int(count) for count in counts) if counts else None


def sibling(path, name):
    """Return the content of another file in a file's folder, empty where it cannot be read."""
    return read_text(os.path.join(os.path.dirname(path), name)) or ""
