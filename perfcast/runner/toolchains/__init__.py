"""Toolchains by name: each loads a model, runs it, and says what its allocator saw."""

import numpy as np

from perfcast.runner.programs import read_graph
from perfcast.runner.toolchains.tensorflow import TensorFlowToolchain


class NoopToolchain:
    """Computes next to nothing: each output holds the sum of the inputs' first values. For tests of all around it."""

    name = "noop"

    def __init__(self, factors):
        self.factors = factors

    def version(self):
        return "1"

    def preload(self):
        """Import the runtime without initialising it."""

    def null_task(self):
        return {
            "inputs": [{"shape": [1], "dtype": "float32"}],
            "outputs": [{"tensor": "first", "shape": [1]}],
            "graph": None,
            "seed": 0,
        }

    def load(self, task):
        """Return a function from the inputs to a list of outputs."""
        if task["graph"] is not None and not read_graph(task["graph"]):
            raise ValueError("empty graph")
        shapes = [[self.factors["batch"]] + output["shape"] for output in task["outputs"]]

        def infer(*inputs):
            first = sum(float(values.flat[0]) for values in inputs)
            return [np.full(shape, first, np.float32) for shape in shapes]

        return infer

    def before_saturation(self, task):
        """Return the task with outputs before functions that may hide a change of the input: there are none."""
        return task

    def allocator_peak_bytes(self):
        return None


TOOLCHAINS = {toolchain.name: toolchain for toolchain in (NoopToolchain, TensorFlowToolchain)}
