"""Timing runs of a model, in the child that holds the model."""

import gc

from perfcast.runner.clocks import perf_counter_ns, process_time_ns
from perfcast.runner.noise_indicators import Causes

COMPARED = 6


def time_runs(run, inputs, iterations, compare):
    """Return lists of equal length, one entry a run: wall and process times in ns, and what may explain them.

    Each run ends with its result on the host. Some results, evenly spread, are compared outside the timed part.
    """
    wall, process, causes = [], [], Causes()
    step = max(1, iterations // COMPARED)
    gc.collect()
    gc.disable()
    try:
        causes.skip()
        for index in range(iterations):
            process_start = process_time_ns()
            wall_start = perf_counter_ns()
            outputs = run(*inputs)
            wall_end = perf_counter_ns()
            process_end = process_time_ns()
            causes.add()
            process.append(process_end - process_start)
            wall.append(wall_end - wall_start)
            if index % step == 0 or index == iterations - 1:
                compare(outputs)
                causes.skip()
            del outputs  # A runtime may reuse its memory.
    finally:
        gc.enable()
        causes.close()
    return dict(causes.lists, wall_ns=wall, process_ns=process)


def run_for(run, inputs, seconds):
    """Run without pause for so many seconds; return how long it took in s, and how many runs that was."""
    start, runs = perf_counter_ns(), 0
    while True:
        run(*inputs)
        runs += 1
        elapsed = (perf_counter_ns() - start) * 1e-9
        if elapsed >= seconds:
            return elapsed, runs


def time_without_pause(run, inputs, iterations):
    """Return the wall times in ns of runs that follow each other at once."""
    wall = []
    for _ in range(iterations):
        start = perf_counter_ns()
        run(*inputs)
        wall.append(perf_counter_ns() - start)
    return wall
