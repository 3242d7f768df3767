"""What a device can do at most: the best of matrix products, and of reading memory.

One thread is timed, on pieces of work of about a millisecond: on a busy machine one of many such pieces finds a core to
itself, where a product on all cores would not. The best of them, times the cores that a model may use, bounds what it
can do there. Who says of a latency that no inference can be so fast has to leave room for

- algorithms that multiply less often than a layer's definition: of a 3×3 convolution, Winograd's take a 2.25th of the
  multiplications with tiles of 2×2, a quarter with tiles of 4×4;
- another clock than at this moment, and kernels that are better than those tried here. Of 20 models on one machine,
  none of which used such an algorithm, the fastest reached 1.1 times the limit, 1.4 times where the clock had risen.

The best rate of reading is a cache's: of the same models, weights were read at 0.4 of it at most.
"""

import functools
import os
import time

import numpy as np

from perfcast.runner.children import TaskFailure, in_child
from perfcast.runner.clocks import perf_counter_ns
from perfcast.runner.system_files import as_number, read_text, under

SMALL_SIZE, SMALL_COUNT = 64, 32
"""Libraries of linear algebra multiply matrices of this size on the calling thread, whatever threads they have."""
SIZES = (256, 384, 512, 768)
READ_BYTES = tuple((1 << 17) << step for step in (0, 2, 4, 6, 8))
"""From what fits the second cache of a small board to more than most last caches."""
ONCE_BYTES = 1 << 25
TRYING_S = 0.1
MIN_TRIES = 3
TOO_LONG_S = 0.3
LIMIT_S = 300


def measure_peaks(toolchain, parent_pid=None, spawns=False):
    """Return {"flops_per_s", "bytes_per_s", "seconds"}: the best of both, and how long it took to find out.

    It is measured in a child. A multiply-accumulate counts as two operations. Raises SystemExit where the child fails.
    `parent_pid` and `spawns` are as for `in_child`.
    """
    start = time.monotonic()
    try:
        peaks = in_child(functools.partial(best_rates, toolchain), LIMIT_S, parent_pid, spawns)
    except TaskFailure as failure:
        raise SystemExit("the device's peaks could not be measured: %s" % failure) from None
    return dict(peaks, seconds=time.monotonic() - start)


def best_rates(toolchain):
    """Return the best rates of a thread, times the cores that the toolchain's threads have."""
    flops = 2.0 * SMALL_COUNT * SMALL_SIZE**3 / fastest_s(small_products())
    flops = max(flops, best_product(toolchain.product))
    cores = count_cores()
    cores = min(cores, toolchain.factors.get("threads") or cores)
    return {"flops_per_s": cores * flops, "bytes_per_s": cores * max(map(reading_rate, READ_BYTES))}


def fastest_s(function):
    """Return the least time in seconds that a function takes, called for a while; the first call is the warm-up."""
    function()
    times, end = [], time.monotonic() + TRYING_S
    while len(times) < MIN_TRIES or time.monotonic() < end:
        start = perf_counter_ns()
        function()
        times.append(perf_counter_ns() - start)
    return min(times) * 1e-9


def small_products():
    """Return what multiplies many small matrices with NumPy."""
    one = matrix(SMALL_SIZE)
    many = np.broadcast_to(one, (SMALL_COUNT, SMALL_SIZE, SMALL_SIZE))
    result = np.empty(many.shape, np.float32)
    return lambda: np.matmul(many, one, out=result)


def best_product(make):
    """Return the most operations per second over sizes.

    `make` returns what multiplies two matrices of a size, None where it shows nothing.
    """
    best = 0.0
    for size in SIZES:
        operations = 2.0 * size**3
        if best and operations / best > TOO_LONG_S:
            break
        product = make(size)
        if product is None:
            break
        best = max(best, operations / fastest_s(product))
    return best


def matrix(size):
    return np.random.default_rng(size).random((size, size), dtype=np.float32)


def reading_rate(size_bytes):
    """Return the bytes per second at which a thread reads so many bytes, again and again in one call."""
    values = np.ones(size_bytes // 4, np.float32)
    passes = max(1, ONCE_BYTES // size_bytes)
    repeated = np.broadcast_to(values, (passes, 1, values.size))
    ways = (
        lambda: repeated.max(axis=2),  # The fastest, where NumPy has vector instructions for it.
        lambda: np.matmul(repeated, values[:, None]),  # With older versions.
    )
    return passes * size_bytes / min(map(fastest_s, ways))


def ranked_cpus(root="/"):
    """Return (place within its core, -capacity, number) of each CPU that this process may use, sorted."""
    numbers = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count())
    taken, ranked = {}, []
    for cpu in sorted(numbers):
        folder = under(root, "/sys/devices/system/cpu/cpu%d/" % cpu)
        core = read_text(folder + "topology/thread_siblings_list") or cpu
        taken[core] = taken.get(core, -1) + 1
        ranked.append((taken[core], -(as_number(read_text(folder + "cpu_capacity")) or 0.0), cpu))
    return sorted(ranked)


def cpus_by_speed(root="/"):
    """Return the CPUs that this process may use, those first that make the fastest team: one of each core, large ones.

    A system that says nothing of its CPUs has them in the order of their numbers.
    """
    return [cpu for _, _, cpu in ranked_cpus(root)]


def count_cores(root="/"):
    """Return how many cores the CPUs are that this process may use: those of one core share what calculates."""
    return sum(place == 0 for place, _, _ in ranked_cpus(root))
