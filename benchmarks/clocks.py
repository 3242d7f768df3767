"""Wall time, process time and the profiler's time of an inference, compared on 20 models.

    PYTHONPATH=. python benchmarks/clocks.py [--iterations N]

As the source document's Figure 9. TensorFlow's own profiler says when each operation ran: `span` is from the first
operation's start to the last one's end, `busy` the sum over operations. Where NVIDIA's `nsys` is installed, `gpu` is
what it says that kernels and copies took on the GPU, from a run of its own under it. Printed per model are medians in
ms (of `gpu` the mean), then how each clock relates to wall time.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from model_lists import VARIED, exported, specs_of, task_of

from perfcast.bench.target import available_cpus
from perfcast.export.artifacts import ArtifactStore
from perfcast.runner.inputs import draw_inputs
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain

WARM_UP = 5
COLUMNS = ("wall", "process", "traced wall", "span", "busy")


class ProfiledToolchain(TensorFlowToolchain):
    """Gives, besides the function that runs a model, one that runs it under TensorFlow's profiler."""

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


def run_only(toolchain, task, iterations):
    """Run a model so many times and no more: what is looked at from outside."""
    infer, _ = toolchain.load(task)
    inputs = draw_inputs(task, toolchain.factors["batch"])
    for _ in range(iterations):
        infer(*inputs)


def nsys_ms(row, iterations):
    """Return what nsys says that an inference of the model in this row of a sheet takes on the GPU, in ms."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "trace"
        command = [sys.executable, __file__, "--only", row, "--iterations", str(iterations)]
        subprocess.run(
            ["nsys", "profile", "--trace=cuda", f"--output={found}", *command], check=True, stdout=subprocess.DEVNULL
        )
        said = subprocess.run(
            ["nsys", "stats", "--report=cuda_gpu_sum", "--format=csv", f"{found}.nsys-rep"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    return gpu_ns(said) / iterations * 1e-6


def gpu_ns(said):
    """Return the sum over kernels and copies of nsys's table `cuda_gpu_sum`; 0 where the GPU did nothing."""
    lines = said.splitlines()
    start = next((number for number, line in enumerate(lines) if "Total Time (ns)" in line), len(lines))
    return sum(float(row["Total Time (ns)"]) for row in csv.DictReader(lines[start:]) if row["Total Time (ns)"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--only", metavar="ROW", help="run the model of this row of a sheet, and print nothing")
    arguments = parser.parse_args()
    factors = {"threads": available_cpus(), "batch": 1, "graph_optimizations": True, "weights_as": "constant"}
    toolchain = ProfiledToolchain(factors)
    if arguments.only:
        measure(toolchain, arguments.only, lambda _, task: run_only(toolchain, task, arguments.iterations))
        return
    with_nsys = shutil.which("nsys") is not None
    columns = (*COLUMNS, "gpu") if with_nsys else COLUMNS
    print(f"{'model':32}" + "".join(f"{name + ' ms':>16}" for name in columns))
    medians = []

    def compare(export, task):
        clocks = np.median(clocks_of(toolchain, task, arguments.iterations), axis=0)
        if with_nsys:
            clocks = np.append(clocks, nsys_ms(rows[export.spec.model], arguments.iterations))
        medians.append(clocks)
        print(f"{export.spec.model:32}" + "".join(f"{value:16.2f}" for value in clocks))

    rows = {spec.model: row for spec, row in zip(specs_of(VARIED), VARIED.splitlines(), strict=True)}
    measure(toolchain, VARIED, compare)
    ratios = np.array(medians) / np.array(medians)[:, :1]
    for name, values in zip(columns[1:], ratios.T[1:], strict=True):
        low, middle, high = np.percentile(values, [5, 50, 95])
        print(f"{name} / wall: median {middle:.2f} (5th to 95th percentile {low:.2f} to {high:.2f})")
    if not with_nsys:
        print("nsys is not installed: left out")


def measure(toolchain, rows, act):
    """Export the models of rows of a sheet, and do with each what ``act`` does."""
    toolchain.preload()
    with tempfile.TemporaryDirectory() as folder:
        artifacts = ArtifactStore(Path(folder))
        for export in exported(specs_of(rows), Path(folder)):
            act(export, task_of(artifacts, export))


if __name__ == "__main__":
    main()
