"""The peaks bound what is done on this machine, and do so while it is busy."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from perfcast.runner.peaks import count_cores, cpus_by_speed, measure_peaks
from perfcast.runner.toolchains.noop import NoopToolchain

pytestmark = pytest.mark.alone

FACTORS = {"batch": 1, "graph_optimizations": True, "weights_as": "constant"}
LEEWAY = 3
"""The machine may be quieter, or busier, when a limit is compared than when it was measured."""


def cpus():
    return len(os.sched_getaffinity(0))


def fastest_s(function, tries=10):
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.fixture(scope="module")
def peaks():
    return measure_peaks(NoopToolchain({"threads": cpus()}))


def test_peaks_are_rates_with_their_duration(peaks):
    assert set(peaks) == {"flops_per_s", "bytes_per_s", "seconds"}
    assert peaks["flops_per_s"] > 1e8
    assert peaks["bytes_per_s"] > 1e8
    assert 0 < peaks["seconds"] < 60


@pytest.mark.parametrize("size", [200, 600, 1200])
def test_no_product_exceeds_the_peak(peaks, size):
    matrix = np.ones((size, size), np.float32)
    rate = 2 * size**3 / fastest_s(lambda: matrix @ matrix)
    assert rate < LEEWAY * peaks["flops_per_s"]


def test_peak_is_close_to_the_achieved_rate(peaks):
    matrix, many = np.ones((60, 60), np.float32), np.ones((20, 60, 60), np.float32)
    rate = 2 * many.size * 60 / fastest_s(lambda: many @ matrix, 1000)
    assert peaks["flops_per_s"] < 4 * rate * cpus()
    values = np.ones(20000, np.float32)
    rate = values.nbytes / fastest_s(values.max, 1000)
    assert peaks["bytes_per_s"] < 8 * rate * cpus()


@pytest.mark.parametrize("megabytes", [0.5, 8, 48])
def test_no_read_exceeds_the_peak(peaks, megabytes):
    values = np.ones(int(megabytes * 1e6 / 4), np.float32)
    rate = values.nbytes / fastest_s(values.sum)
    assert rate < LEEWAY * peaks["bytes_per_s"]


IN_A_FRESH_PROCESS = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from perfcast.runner.peaks import measure_peaks
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain
toolchain = TensorFlowToolchain(json.loads(sys.argv[2]))
toolchain.preload()
peaks = measure_peaks(toolchain)
matrix = toolchain.tf.ones((700, 700))
times = []
for _ in range(40):
    start = time.perf_counter()
    toolchain.tf.linalg.matmul(matrix, matrix).numpy()
    times.append(time.perf_counter() - start)
print(json.dumps([peaks["flops_per_s"], 2 * 700**3 / min(times)]))
"""


def test_toolchain_product_is_measured_too(root):
    """A product of TensorFlow's is no faster than the limit.

    In a process of its own: the runner forks before TensorFlow starts threads, which other tests have started here.
    """
    factors = json.dumps(dict(FACTORS, threads=cpus()))
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, str(root), factors]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    limit, rate = json.loads(answer.stdout.splitlines()[-1])
    assert rate < LEEWAY * limit


@pytest.mark.skipif(cpus() < 2, reason="needs two CPUs")
def test_fewer_threads_have_a_lower_peak():
    one, two = (measure_peaks(NoopToolchain({"threads": threads})) for threads in (1, 2))
    for rate in ("flops_per_s", "bytes_per_s"):
        assert 1 / LEEWAY < two[rate] / (2 * one[rate]) < LEEWAY


def test_busy_machine_has_the_same_peaks(peaks):
    """Twice as many processes as CPUs keep it busy."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * cpus())]
    try:
        found = measure_peaks(NoopToolchain({"threads": cpus()}))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    for rate in ("flops_per_s", "bytes_per_s"):
        assert 1 / LEEWAY < found[rate] / peaks[rate] < LEEWAY


class _Crashing(NoopToolchain):
    def product(self, size):
        os.kill(os.getpid(), signal.SIGKILL)


def test_crash_while_peaks_are_measured_is_reported():
    with pytest.raises(SystemExit, match="the device's peaks could not be measured: killed by signal 9"):
        measure_peaks(_Crashing({"threads": 1}))


@pytest.mark.parametrize(
    ("siblings", "capacities", "order", "cores"),
    [
        (["0-1", "0-1", "2-3", "2-3"], [1, 1, 1, 1], [0, 2, 1, 3], 2),
        (["0,2", "1,3", "0,2", "1,3"], [1, 1, 1, 1], [0, 1, 2, 3], 2),
        (["0", "1", "2", "3"], [400, 400, 1024, 1024], [2, 3, 0, 1], 4),
        ([], [], [0, 1, 2, 3], 4),
    ],
)
def test_hyperthreads_count_once_and_large_cores_come_first(tmp_path, monkeypatch, siblings, capacities, order, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3})
    for cpu, (core, capacity) in enumerate(zip(siblings, capacities, strict=True)):
        folder = tmp_path / f"sys/devices/system/cpu/cpu{cpu}"
        (folder / "topology").mkdir(parents=True)
        (folder / "topology/thread_siblings_list").write_text(f"{core}\n")
        (folder / "cpu_capacity").write_text(f"{capacity}\n")
    assert cpus_by_speed(str(tmp_path)) == order
    assert count_cores(str(tmp_path)) == cores
