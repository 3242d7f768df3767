"""Toolchains by name: each loads a model, runs it, and says what its allocator saw."""

import os

import numpy as np

from perfcast_runner.tensorflow_toolchain import TensorFlowToolchain


class NullToolchain:
    """Runs nothing: answers zeros. For tests of everything around a runtime."""

    name = "null"

    def __init__(self, factors):
        self.factors = factors

    def version(self):
        return "1"

    def preload(self):
        """Import the runtime without initialising it."""

    def null_task(self):
        return {"inputs": [], "outputs": [{"tensor": "zero", "shape": [1]}], "graph": None, "seed": 0}

    def load(self, task):
        """Return a function from the inputs to a list of outputs."""
        if task["graph"] is not None and os.path.getsize(task["graph"]) == 0:
            raise ValueError("empty graph")
        shapes = [[self.factors["batch"]] + output["shape"] for output in task["outputs"]]
        return lambda *inputs: [np.zeros(shape, np.float32) for shape in shapes]

    def allocator_peak_bytes(self):
        return None


TOOLCHAINS = {toolchain.name: toolchain for toolchain in (NullToolchain, TensorFlowToolchain)}
