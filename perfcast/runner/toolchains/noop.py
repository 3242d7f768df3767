"""A runtime that computes next to nothing, for tests of all around it."""

from perfcast.runner.programs import read_program
from perfcast.runner.toolchains.base import GRAPH_OPTIMIZATIONS, WEIGHTS_AS, Toolchain


class NoopToolchain(Toolchain):
    """Each output holds the sum of the inputs' first values."""

    name = "noop"
    description = "which computes nothing and serves tests"
    FORMATS = ("graph.pb",)
    OPTIONS = dict(WEIGHTS_AS, **GRAPH_OPTIMIZATIONS)
    COMPUTES = False

    def version(self):
        return "1"

    def load(self, task):
        import numpy as np

        from perfcast.runner.inputs import shape_of

        if task["program"] is not None and not read_program(task["program"]):
            raise ValueError("empty program")
        shapes = [shape_of(output, self.factors["batch"]) for output in task["outputs"]]

        def infer(*inputs):
            first = sum(float(values.flat[0]) for values in inputs)
            return [np.full(shape, first, np.float32) for shape in shapes]

        return infer
