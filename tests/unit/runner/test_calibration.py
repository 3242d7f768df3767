"""How disturbed a visit was: the calibration workload, and CPU contention."""

import itertools
import os
import statistics
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from perfcast.runner import cpu_contention
from perfcast.runner.calibration import MIN_LIMIT, Calibration, UsualCalibration
from perfcast.runner.cpu_contention import CpuContention, usable_cpus

pytestmark = pytest.mark.alone

MS = 1_000_000
BUSY = "import os; os.sched_setaffinity(0, {%d}); print(flush=True)\nwhile True: pass"


@pytest.fixture(params=range(len(usable_cpus())))
def hog(request):
    """A process that wants one of the CPUs for itself, each of them in turn."""
    command = [sys.executable, "-c", BUSY % usable_cpus()[request.param]]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        # Until then it has not begun: a machine that is busy takes long to start it.
        process.stdout.readline()
        yield
        process.kill()


@pytest.fixture(scope="module")
def calibration():
    return Calibration(len(usable_cpus()))


@pytest.fixture(scope="module")
def undisturbed_ns(calibration):
    return min(calibration.time_ns() for _ in range(40))


def test_calibration_takes_milliseconds_and_leaves_no_thread(calibration, undisturbed_ns):
    assert MS < undisturbed_ns < 50 * MS
    before = os.sched_getaffinity(0), threading.active_count()
    calibration.time_ns()
    assert (os.sched_getaffinity(0), threading.active_count()) == before


def test_calibration_takes_no_new_memory(calibration):
    calibration.time_ns()
    allocated = sys.getallocatedblocks()
    for _ in range(20):
        calibration.time_ns()
    assert sys.getallocatedblocks() - allocated < 500


def test_process_on_any_cpu_slows_the_calibration(calibration, undisturbed_ns, hog):
    assert statistics.median(calibration.time_ns() for _ in range(15)) > MIN_LIMIT * undisturbed_ns


def test_late_thread_wake_ups_slow_the_calibration(monkeypatch):
    """As on virtual machines whose host lets idle processors sleep deeper: sums take no longer then."""
    calibration, read = Calibration(2), os.read
    at_once_ns = min(calibration.time_ns() for _ in range(20))

    def read_late(*arguments):
        spin(15e-6)
        return read(*arguments)

    monkeypatch.setattr(os, "read", read_late)
    assert statistics.median(calibration.time_ns() for _ in range(9)) > 1.15 * at_once_ns


def test_single_thread_has_no_wake_ups(monkeypatch):
    def read(*_):
        raise AssertionError("nobody is there to wait for")

    monkeypatch.setattr(os, "read", read)
    assert Calibration(1).time_ns() > MS


def test_more_threads_than_cpus_share_them():
    assert Calibration(2 * len(usable_cpus()) + 1).time_ns() > MS


class _Timed:
    """A calibration that takes 12, 13, 14, ... ns."""

    def __init__(self):
        self.times = itertools.count(12)

    def time_ns(self):
        return next(self.times)


@pytest.mark.parametrize(
    ("usual", "limit"),
    [
        (lambda draw: draw.normal(1, 0.01, 400), (1.14, 1.16)),
        (lambda draw: np.where(np.arange(400) % 2, draw.uniform(1.3, 3, 400), draw.normal(1, 0.01, 400)), (1.13, 1.16)),
        (lambda draw: np.exp(draw.normal(0, 0.12, 400)), (1.2, 1.45)),
    ],
    ids=["calm", "half disturbed", "never calm"],
)
def test_limit_is_what_the_usual_state_reaches(usual, limit):
    seen = UsualCalibration(_Timed(), (1000 * usual(np.random.default_rng(0))).tolist())
    seen.seen_ns = seen.seen_ns[len(seen.first_ns) :]
    assert limit[0] < seen.limit_after({"before_ns": 1000, "after_ns": 1000}) / 1000 < limit[1]


def spin(seconds):
    """Keep a CPU busy for so long; return the CPU time that it took in ns."""
    end, start = time.monotonic() + seconds, time.process_time_ns()
    while time.monotonic() < end:
        pass
    return time.process_time_ns() - start


def test_process_on_any_cpu_is_detected_during_own_work(hog):
    look = CpuContention()
    own_ns = spin(0.4)
    assert look.used_cpus(own_ns) > 0.5


def write_stat(path, *idle):
    lines = "".join(f"cpu{n} 5 0 5 {ticks} 1 3 4 2 0 0\n" for n, ticks in enumerate(idle))
    path.write_text(f"cpu  10 0 10 {sum(idle)} 1 6 7 4 0 0\n{lines}intr 5 0 0\n")


@pytest.mark.parametrize(
    ("idle_ticks", "own_ms", "cpus"),
    [
        ((100, 100), 0, 0.0),
        ((0, 100), 1000, 0.0),
        ((0, 100), 0, 0.98),
        ((0, 0), 1000, 0.98),
        ((50, 0), 1000, 0.48),
        ((99, 99), 0, 0.0),
    ],
)
def test_cpu_time_neither_idle_nor_own_is_contention(tmp_path, monkeypatch, idle_ticks, own_ms, cpus):
    """During one second on two CPUs; two ticks are the clock's."""
    stat, ticks = tmp_path / "stat", os.sysconf("SC_CLK_TCK")
    monkeypatch.setattr(cpu_contention, "STAT", str(stat))
    monkeypatch.setattr(cpu_contention, "usable_cpus", lambda: [0, 1])
    clock = iter([5 * 10**9, 6 * 10**9])
    monkeypatch.setattr(cpu_contention, "perf_counter_ns", lambda: next(clock))
    write_stat(stat, 1000, 2000)
    look = CpuContention()
    write_stat(stat, *(before + now * ticks // 100 for before, now in zip((1000, 2000), idle_ticks, strict=True)))
    assert look.used_cpus(own_ms * MS) == pytest.approx(cpus, abs=1e-6)


@pytest.mark.parametrize("content", [None, "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0 0 0 0 0 0 0\n", "intr 0\n"])
def test_contention_is_unknown_without_system_counters(tmp_path, monkeypatch, content):
    monkeypatch.setattr(cpu_contention, "STAT", str(tmp_path / "stat"))
    if content is not None:
        (tmp_path / "stat").write_text(content)
    assert CpuContention().used_cpus(0) is None
