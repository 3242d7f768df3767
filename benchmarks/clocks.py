"""Wall time, process time and the profiler's time of an inference, compared on 20 models.

    PYTHONPATH=board python benchmarks/clocks.py [--iterations N]

As the source document's Figure 9. TensorFlow's own profiler says when each operation ran: `span` is from the first
operation's start to the last one's end, `busy` the sum over operations. Printed per model are medians in ms, then how
each clock relates to wall time.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from fixed_lists import VARIED, exported, specs_of, task_of

from perfcast.bench.target import available_cpus
from perfcast.export.artifacts import ArtifactStore
from perfcast_runner.inputs import draw_inputs
from perfcast_runner.tensorflow_toolchain import TensorFlowToolchain

WARM_UP = 5
COLUMNS = ("wall", "process", "traced wall", "span", "busy")


class ProfiledToolchain(TensorFlowToolchain):
    """Gives, beside the function that runs a model, one that runs it under TensorFlow's profiler."""

    def callable_of(self, session, outputs, inputs):
        options = self.tf.compat.v1.RunOptions(trace_level=self.tf.compat.v1.RunOptions.FULL_TRACE)
        run = session.make_callable(outputs, inputs)
        traced = session.make_callable(outputs, inputs, accept_options=True)

        def profile(*values):
            """Return the span of all operations and the sum of their times, in ms."""
            metadata = self.tf.compat.v1.RunMetadata()
            traced(*values, options=options, run_metadata=metadata)
            nodes = [node for device in metadata.step_stats.dev_stats for node in device.node_stats]
            starts = np.array([node.all_start_micros for node in nodes])
            ends = starts + [node.all_end_rel_micros for node in nodes]
            busy = sum(node.op_end_rel_micros - node.op_start_rel_micros for node in nodes)
            return (ends.max() - starts.min()) * 1e-3, busy * 1e-3

        return run, profile


def clocks_of(toolchain, task, iterations):
    """Return an array (iterations, columns) of times in ms; each clock's turn comes in every iteration."""
    infer, profile = toolchain.load(task)
    inputs = draw_inputs(task, toolchain.factors["batch"])
    rows = []
    for _ in range(WARM_UP + iterations):
        process, wall = time.process_time(), time.perf_counter()
        infer(*inputs)
        wall, process = time.perf_counter() - wall, time.process_time() - process
        start = time.perf_counter()
        span_ms, busy_ms = profile(*inputs)
        rows.append([wall * 1e3, process * 1e3, (time.perf_counter() - start) * 1e3, span_ms, busy_ms])
    return np.array(rows[WARM_UP:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=30)
    arguments = parser.parse_args()
    factors = {"threads": available_cpus(), "batch": 1, "optimised": True, "weights_as": "constant"}
    toolchain = ProfiledToolchain(factors)
    toolchain.preload()
    print(f"{'model':32}" + "".join(f"{name + ' ms':>16}" for name in COLUMNS))
    medians = []
    with tempfile.TemporaryDirectory() as folder:
        artifacts = ArtifactStore(Path(folder))
        for export in exported(specs_of(VARIED), Path(folder)):
            task = task_of(artifacts, export)
            medians.append(np.median(clocks_of(toolchain, task, arguments.iterations), axis=0))
            print(f"{export.spec.model:32}" + "".join(f"{value:16.2f}" for value in medians[-1]))
    ratios = np.array(medians) / np.array(medians)[:, :1]
    for name, values in zip(COLUMNS[1:], ratios.T[1:], strict=True):
        low, middle, high = np.percentile(values, [5, 50, 95])
        print(f"{name} / wall: median {middle:.2f} (5th to 95th percentile {low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
