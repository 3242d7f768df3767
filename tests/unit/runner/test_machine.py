"""What the machine says of itself, from files as boards and containers have them, and here."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from perfcast.bench.transport import RUNNER
from perfcast.runner.cgroups import cpu_quota, memory_limit_bytes
from perfcast.runner.machine import read_environment, read_state, swapped_pages
from perfcast.runner.toolchains.noop import NoopToolchain
from tests.unit.runner.fake_device import CPUFREQ, SWAPPINESS

ZONES = "sys/class/thermal"
UNLIMITED_V1 = 9223372036854771712


def state(device):
    return read_state(str(device.root))


def environment(device, outcome=None):
    return read_environment(NoopToolchain({}), outcome, str(device.root))


def test_unchanged_machine_has_the_same_environment():
    command = [sys.executable, str(RUNNER), "--probe", "noop"]
    first, second = (subprocess.run(command, capture_output=True, check=True).stdout for _ in range(2))
    assert first == second
    answer = json.loads(first)["environment"]
    facts = [fact for part in answer.values() for fact in part.values()]
    assert {type(fact) for fact in facts} <= {str, int, float, type(None)}
    assert answer["machine"]["memory_bytes"] > 1e8
    assert answer["machine"]["cpus"] == len(os.sched_getaffinity(0))
    assert answer["software"]["numpy"] == np.__version__
    assert answer["settings"]["priority"] == os.nice(0)
    assert answer["settings"]["affinity"].split(",")[0] == str(min(os.sched_getaffinity(0)))
    assert answer["settings"]["refused"] is None


def test_machine_state_is_plausible():
    now = read_state()
    assert set(now) == {
        "load_1_minute", "memory_available_bytes", "cpu_mhz", "temperature_c", "throttle_count",
    }  # fmt: skip
    assert now["load_1_minute"] >= 0
    assert now["memory_available_bytes"] > 1e7
    assert swapped_pages() >= 0


def test_unknown_machine_state_is_null(bare):
    now = state(bare)
    assert {name for name, value in now.items() if value is None} == set(now) - {"load_1_minute"}
    nothing = environment(bare)
    assert nothing["machine"]["memory_bytes"] is None
    known = {"priority", "affinity"}
    assert {name for name, value in nothing["settings"].items() if value is not None} == known


def test_settings_are_described_in_words(device):
    device.write(SWAPPINESS, 60)
    settings = environment(device, {"applied": {}, "refused": {"nvpmodel": "why", "boost": "because"}})["settings"]
    assert settings["governor"] == "schedutil,powersave"
    assert settings["boost"] == "on"
    assert settings["swappiness"] == 60
    assert settings["gpu_persistence"] == "on,off"
    assert settings["nvpmodel"] == 2
    assert settings["jetson_clocks"] == "off"
    assert settings["refused"] == "boost: because; nvpmodel: why"
    device.write(f"{CPUFREQ}/policy0/scaling_min_freq", 1900000)
    assert environment(device)["settings"]["jetson_clocks"] == "on"


def test_board_name_has_no_nul_bytes(bare):
    bare.write("proc/device-tree/model", "NVIDIA Orin Nano Developer Kit\0")
    bare.write("proc/device-tree/bus@0/gpu@17000000/compatible", "nvidia,ga10b\0nvidia,gpu\0")
    machine = environment(bare)["machine"]
    assert machine["cpu"] == machine["board"] == "NVIDIA Orin Nano Developer Kit"
    assert machine["gpu"] == "nvidia,ga10b"


def test_gpu_name_has_no_part_that_changes_at_boot(bare):
    for number, bus in enumerate(("01", "02")):
        text = f"Model: \t\t NVIDIA H200\nIRQ:   \t\t {100 + number}\nGPU UUID: \t GPU-{number}"
        bare.write(f"proc/driver/nvidia/gpus/0000:{bus}:00.0/information", text)
    assert environment(bare)["machine"]["gpu"] == "NVIDIA H200"


def test_caches_have_sizes_in_bytes(bare):
    caches = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "1024K"), ("3", "Unified", "32M")]
    for index, values in enumerate(caches):
        for name, value in zip(("level", "type", "size"), values, strict=True):
            bare.write(f"sys/devices/system/cpu/cpu0/cache/index{index}/{name}", value)
    sizes = {name: value for name, value in environment(bare)["machine"].items() if name.startswith("cache")}
    assert sizes == {"cache_l1_bytes": 48 << 10, "cache_l2_bytes": 1 << 20, "cache_l3_bytes": 32 << 20}


@pytest.mark.parametrize(
    ("zones", "hottest"),
    [
        ({"CPU-therm": "51500", "GPU-therm": "48000"}, 51.5),
        ({"PMIC-Die": "100000", "CPU-therm": "41000"}, 41.0),
        ({"CPU-therm": "41000", "CV0-therm": "-256000"}, 41.0),
        ({"CPU-therm": "41000", "broken": "429496729500"}, 41.0),
        ({"PMIC-Die": "100000"}, None),
        ({"CPU-therm": "no"}, None),
    ],
)
def test_the_hottest_zone_counts(bare, zones, hottest):
    for number, (kind, text) in enumerate(zones.items()):
        bare.write(f"{ZONES}/thermal_zone{number}/type", kind)
        bare.write(f"{ZONES}/thermal_zone{number}/temp", text)
    assert state(bare)["temperature_c"] == hottest


def test_without_zones_the_processors_sensors_count(bare):
    for number, (name, text) in enumerate({"nvme": "80000", "k10temp": "55250"}.items()):
        bare.write(f"sys/class/hwmon/hwmon{number}/name", name)
        bare.write(f"sys/class/hwmon/hwmon{number}/temp1_input", text)
    assert state(bare)["temperature_c"] == 55.25


def test_throttling_is_summed(bare):
    for cpu in (0, 1, 10):
        folder = f"sys/devices/system/cpu/cpu{cpu}/thermal_throttle"
        bare.write(f"{folder}/core_throttle_count", 3)
        bare.write(f"{folder}/package_throttle_count", 1)
        bare.write(f"{folder}/core_throttle_total_time_ms", 999)
    assert state(bare)["throttle_count"] == 12
    bare.write("sys/class/hwmon/hwmon1/oc1_event_cnt", 5)
    assert state(bare)["throttle_count"] == 17


def test_throttling_counts_cpu_cooling_not_fans(bare):
    for number, (kind, count) in enumerate({"thermal-cpufreq-0": 7, "pwm-fan": 90, "cpufreq-cpu4": 2}.items()):
        bare.write(f"{ZONES}/cooling_device{number}/type", kind)
        bare.write(f"{ZONES}/cooling_device{number}/stats/total_trans", count)
    assert state(bare)["throttle_count"] == 9


def test_the_clock_is_that_of_a_cpu_in_use(bare):
    cpu = min(os.sched_getaffinity(0))
    bare.write("proc/cpuinfo", "cpu MHz\t\t: 2599.996")
    assert state(bare)["cpu_mhz"] == 2599.996
    bare.write(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", 1420800)
    assert state(bare)["cpu_mhz"] == 1420.8


def test_swapped_pages_are_those_of_both_directions(bare):
    bare.write("proc/vmstat", "pgpgin 5\npswpin 40\npswpout 2\npswpin_x 9")
    assert swapped_pages(str(bare.root)) == 42


def groups(device, own, peaks):
    device.write("proc/self/cgroup", own)
    for path, text in peaks.items():
        device.write(f"sys/fs/cgroup/{path}", text)


@pytest.mark.parametrize(
    ("own", "peaks", "bytes_", "cpus"),
    [
        ("0::/a/b", {"a/b/memory.max": "max", "a/b/cpu.max": "max 100000"}, None, None),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "700", "memory.max": "900"}, 700, None),
        ("0::/a/b", {"a/b/cpu.max": "150000 100000", "a/cpu.max": "400000 100000"}, None, 1.5),
        ("0::/../../elsewhere", {"memory.max": "700"}, 700, None),
        ("0::/docker/only-the-host-has-it", {"memory.max": "700", "cpu.max": "50000 100000"}, 700, 0.5),
        ("4:memory:/a\n0::/", {"memory/a/memory.limit_in_bytes": "700"}, 700, None),
        (
            "4:memory:/a\n0::/",
            {"memory/a/memory.limit_in_bytes": UNLIMITED_V1, "memory/memory.limit_in_bytes": "700"},
            700,
            None,
        ),
        ("4:memory:/a", {"memory/memory.limit_in_bytes": UNLIMITED_V1}, None, None),
        ("4:memory:/docker/x", {"memory/memory.limit_in_bytes": "700"}, 700, None),
        ("9:name=systemd:/a\n4:memory:/", {"memory/a/memory.limit_in_bytes": "700"}, None, None),
        ("3:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "250000", "cpu/a/cpu.cfs_period_us": "100000"}, None, 2.5),
        ("3:cpu,cpuacct:/a", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, None, None),
        ("", {"memory.max": "700"}, None, None),
    ],
)
def test_limit_is_the_minimum_over_own_cgroups(bare, own, peaks, bytes_, cpus):
    groups(bare, own, peaks)
    root = str(bare.root)
    assert memory_limit_bytes(root) == environment(bare)["settings"]["memory_limit_bytes"] == bytes_
    assert cpu_quota(root) == environment(bare)["settings"]["cpu_quota"] == cpus
