"""Noise indicators: what slowed an inference down is counted at that inference."""

import mmap
import os
import subprocess
import sys
import threading
import time

import pytest

from perfcast.runner import noise_indicators
from perfcast.runner.noise_indicators import NAMES, Causes
from perfcast.runner.sampling import time_runs

pytestmark = pytest.mark.alone

MS = 1_000_000


def counted(infer, iterations=5):
    """Return the samples of so many calls of a function that takes how often it was called before."""
    calls = iter(range(iterations))
    return time_runs(lambda: infer(next(calls)), [], iterations, lambda outputs: None)


def spin(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.fixture
def hog():
    """Two processes that want the one CPU that this one has too."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cpus)})
    hogs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for process in hogs:
        process.kill()
        process.wait()
    os.sched_setaffinity(0, cpus)


def test_each_inference_has_an_entry():
    samples = counted(lambda number: None, 7)
    assert set(samples) == {"wall_ns", "process_ns", *NAMES}
    assert {len(values) for values in samples.values()} == {7}
    assert min(min(values) for values in samples.values()) >= 0


def test_faults_are_counted_where_new_memory_is_touched():
    pages = 500

    def touch(number):
        with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
            if hasattr(mmap, "MADV_NOHUGEPAGE"):
                memory.madvise(mmap.MADV_NOHUGEPAGE)
            for page in range(pages if number == 3 else 0):
                memory[page * mmap.PAGESIZE] = 1

    faults = counted(touch)["minor_faults"]
    assert pages <= faults[3] < pages + 100
    assert sum(faults) - faults[3] < 100


def test_sleeps_are_voluntary_switches():
    def sleep(number):
        for _ in range(20 if number == 2 else 0):
            time.sleep(0.0001)

    switches = counted(sleep)["voluntary_switches"]
    assert 20 <= switches[2] < 30
    assert sum(switches) - switches[2] < 10


def test_waiting_for_a_cpu_is_counted(hog):
    samples = counted(lambda number: spin(0.2 if number == 1 else 0))
    assert samples["run_delay_ns"][1] > 40 * MS
    assert samples["involuntary_switches"][1] > 3
    assert samples["process_ns"][1] + samples["run_delay_ns"][1] == pytest.approx(samples["wall_ns"][1], rel=0.1)


def test_threads_that_started_since_count_too(hog):
    """Which threads there are is looked up every 32 inferences."""
    begin, end = threading.Event(), threading.Event()
    worker = threading.Thread(target=lambda: (begin.wait(), spin(0.2), end.wait()))

    def work(number):
        if number == 0:
            worker.start()
        if number == 40:
            begin.set()
            time.sleep(0.3)

    delays = counted(work, 42)["run_delay_ns"]
    end.set()
    assert delays[40] > 40 * MS


def test_threads_may_end_while_others_are_counted():
    ended = [threading.Thread(target=time.sleep, args=(0.02,)) for _ in range(5)]
    for thread in ended:
        thread.start()
    samples = counted(lambda number: time.sleep(0.01), 6)
    assert min(samples["run_delay_ns"]) >= 0


def test_uncounted_indicators_are_null(monkeypatch, tmp_path):
    monkeypatch.setattr(noise_indicators, "TASKS", str(tmp_path / "none"))
    monkeypatch.setattr(noise_indicators, "STAT", str(tmp_path / "none"))
    monkeypatch.setattr(noise_indicators, "resource", None)
    samples = counted(lambda number: None)
    assert {name: samples[name] for name in NAMES} == dict.fromkeys(NAMES)
    assert len(samples["wall_ns"]) == 5


def test_missing_wait_counters_differ_from_zero_waiting(monkeypatch, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1/schedstat").write_text("0 0 0\n")
    monkeypatch.setattr(noise_indicators, "TASKS", str(tmp_path))
    assert counted(lambda number: None)["run_delay_ns"] is None


def test_stolen_time_and_interrupts_are_those_of_all_cpus(monkeypatch, tmp_path):
    stat = tmp_path / "stat"
    ticks = os.sysconf("SC_CLK_TCK")

    def infer(number):
        if number == 1:
            stat.write_text("cpu  10 0 10 1000 5 7 9 44 0 0\ncpu0 5 0 5 500 2 3 5 22 0 0\n")

    stat.write_text("cpu  10 0 10 1000 5 6 7 4 0 0\ncpu0 5 0 5 500 2 3 4 2 0 0\n")
    monkeypatch.setattr(noise_indicators, "STAT", str(stat))
    samples = counted(infer)
    assert samples["steal_ns"] == [0, 40 * 10**9 // ticks, 0, 0, 0]
    assert samples["interrupt_ns"] == [0, 3 * 10**9 // ticks, 0, 0, 0]


def test_no_file_stays_open():
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names are enough
    counted(lambda number: None)
    with pytest.raises(ZeroDivisionError):
        counted(lambda number: 1 / 0)
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208 - names are enough


def test_reading_indicators_takes_microseconds():
    """Beside a dozen threads; the best of many looks, for others may have the machine."""
    stop = threading.Event()
    threads = [threading.Thread(target=stop.wait) for _ in range(12)]
    for thread in threads:
        thread.start()
    looks, costs = Causes(), []
    for _ in range(200):
        start = time.perf_counter_ns()
        looks.add()
        costs.append(time.perf_counter_ns() - start)
    stop.set()
    looks.close()
    assert min(costs) < 0.3 * MS
