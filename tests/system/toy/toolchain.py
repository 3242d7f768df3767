"""A runtime that spends time on each layer that a text names."""

import json
from typing import ClassVar

from perfcast.runner.programs import read_program
from perfcast.runner.toolchains.base import Toolchain


class ToyToolchain(Toolchain):
    name = "toy"
    description = "which spends time on each layer"
    FORMATS = ("layers.json",)
    OPTIONS: ClassVar = {
        "unroll": {
            "type": int,
            "description": "How often each layer is gone through.",
            "default": 1,
            "schema": {"type": "integer", "minimum": 1, "maximum": 8},
        }
    }
    COMPUTES = False

    def version(self):
        return "1.0"

    def load(self, task):
        import numpy as np

        layers = json.loads(read_program(task["program"]).decode()) if task["program"] else []
        shapes = [[self.factors["batch"]] + output["shape"] for output in task["outputs"]]
        work = np.ones(4096, np.float32)

        def infer(*inputs):
            for _ in range(self.factors["unroll"] * len(layers)):
                np.sqrt(work, out=work)
            first = sum(float(values.flat[0]) for values in inputs)
            return [np.full(shape, first, np.float32) for shape in shapes]

        return infer
