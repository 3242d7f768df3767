"""Timing inferences, in the child that holds the model."""

import gc
import time

import numpy as np

REFERENCE_REPEATS = 5

# Python 3.6 has the clocks in seconds only.
perf_counter_ns = getattr(time, "perf_counter_ns", lambda: int(time.perf_counter() * 1e9))
process_time_ns = getattr(time, "process_time_ns", lambda: int(time.process_time() * 1e9))


def time_reference():
    """Return the median time in ns of a fixed workload: how fast the machine itself is now."""
    data = np.linspace(0.1, 3.0, 100000)
    times = []
    for _ in range(REFERENCE_REPEATS):
        start = perf_counter_ns()
        np.sqrt(np.sin(data)).sum()
        times.append(perf_counter_ns() - start)
    return sorted(times)[len(times) // 2]


def time_inferences(infer, inputs, iterations):
    """Return the wall and process times in ns of each inference; each ends with its result on the host."""
    wall, process = [], []
    gc.collect()
    gc.disable()
    for _ in range(iterations):
        process_start = process_time_ns()
        wall_start = perf_counter_ns()
        infer(*inputs)
        wall_end = perf_counter_ns()
        process.append(process_time_ns() - process_start)
        wall.append(wall_end - wall_start)
    gc.enable()
    return wall, process


def check_outputs(task, outputs, batch):
    """Raise ValueError where outputs have another shape than the export says, or are not finite."""
    for item, output in zip(task["outputs"], outputs):
        expected = [batch] + item["shape"]
        if list(output.shape) != expected:
            raise ValueError("output %s has shape %s, expected %s" % (item["tensor"], list(output.shape), expected))
        if not np.all(np.isfinite(output)):
            raise ValueError("output %s is not finite" % item["tensor"])


def draw_inputs(task, batch):
    """Return a random input of each shape: what networks see after preprocessing, 0 to 1."""
    generator = np.random.default_rng(task["seed"] + 1)
    inputs = []
    for item in task["inputs"]:
        values = generator.random([batch] + item["shape"], dtype=np.float32)
        inputs.append(values.astype(item["dtype"], copy=False))
    return inputs
