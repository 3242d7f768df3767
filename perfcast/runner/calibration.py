"""A fixed workload, timed around each visit: how fast the machine itself is at that moment."""

import bisect
import os
import threading

import numpy as np

from perfcast.runner.clocks import perf_counter_ns
from perfcast.runner.cpu_contention import usable_cpus

CACHED_FLOATS, CACHED_PASSES = 8192, 16000
STREAMED_FLOATS, STREAMED_PASSES = 2048, 1024
HANDOFFS = 400
FIRST_LOOKS = 10
LOW_SHARE, USUAL_SHARE = 0.05, 0.25
LIMIT_POWER = 3.0 / 0.97
"""The limit is three standard deviations above the usual time."""
MIN_LIMIT = 1.15
"""Seen on two CPUs: mostly up to 1.09 while the machine was left alone, 2 and more beside a process on one CPU."""


class Calibration:
    """Sums on as many threads as a model may use, each thread on CPUs of its own: none of them can be busy unseen.

    Most of the time goes to sums within the innermost cache, the rest to sums that stream 8 MiB a thread through the
    outer ones, which others may be crowding. All memory is taken once.

    Then the threads wake each other up in turn, as those of a runtime do between operations. On a virtual machine
    that can become several times as slow for seconds while sums take no longer: models of many small operations then
    take 1.5 times as long.

    A process that was asleep is left alone by the kernel's scheduler for some 4 ms: this takes longer, else it would
    not meet another process that has its CPU.
    """

    def __init__(self, threads):
        cpus = usable_cpus()
        self.cpus = [cpus[index % len(cpus) :: threads] for index in range(threads)]
        # The same row again and again: a long computation in one call, which holds no lock of Python's.
        rows = [np.linspace(1.0, 2.0, CACHED_FLOATS, dtype=np.float32) for _ in range(threads)]
        self.cached = [np.broadcast_to(row, (CACHED_PASSES, CACHED_FLOATS)) for row in rows]
        self.streamed = [np.ones((STREAMED_PASSES, STREAMED_FLOATS), np.float32) for _ in range(threads)]
        self.sums = [np.empty(CACHED_FLOATS, np.float32) for _ in range(threads)]
        self.pipes = [os.pipe() for _ in range(threads)]

    def time_ns(self):
        """Return the wall time from when the first thread starts to work until the last one is done."""
        count = len(self.cpus)
        together, started, ended = threading.Barrier(count), [0] * count, [0] * count

        def work(index):
            pin_to(self.cpus[index])
            together.wait()
            started[index] = perf_counter_ns()
            np.add.reduce(self.cached[index], axis=0, out=self.sums[index])
            np.add.reduce(self.streamed[index], axis=0, out=self.sums[index][:STREAMED_FLOATS])
            if count > 1:
                self.hand_over(index)
            ended[index] = perf_counter_ns()

        threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return max(ended) - min(started)

    def hand_over(self, index):
        """Wait for the thread before, wake up the next one, again and again; the first thread begins."""
        mine, following = self.pipes[index][0], self.pipes[(index + 1) % len(self.pipes)][1]
        for turn in range(HANDOFFS // len(self.pipes)):
            if index > 0 or turn > 0:
                os.read(mine, 1)
            os.write(following, b".")
        if index == 0:
            os.read(mine, 1)


def pin_to(cpus):
    """Keep this thread to CPUs: left to itself, the kernel puts two threads that wake together onto one of them."""
    if hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, cpus)
        except OSError:
            pass  # They went offline meanwhile.


def first_looks(calibration):
    """Return how long the calibration takes, in ns, a few times in a row."""
    return [calibration.time_ns() for _ in range(FIRST_LOOKS)]


class UsualCalibration:
    """What the calibration takes in this machine's usual state, learned from all that was seen of it.

    Usual is the lower quartile: the calm level where a quarter of the visits is calm, a stable number where none is.
    How widely the usual state varies shows below it, where nothing disturbs: from there to the 5% quantile a normal
    distribution has 0.97 standard deviations. `known_ns` are the times that earlier campaigns saw.
    """

    def __init__(self, calibration, known_ns=()):
        self.first_ns = first_looks(calibration)
        self.seen_ns = sorted([*known_ns, *self.first_ns])

    def limit_after(self, calibration):
        """Take in one more calibration, before and after a visit; return above what a visit's is not usual, in ns."""
        bisect.insort(self.seen_ns, calibration["before_ns"])
        bisect.insort(self.seen_ns, calibration["after_ns"])
        low, usual = (self.seen_ns[int(share * (len(self.seen_ns) - 1))] for share in (LOW_SHARE, USUAL_SHARE))
        return usual * max(MIN_LIMIT, (usual / low) ** LIMIT_POWER)
