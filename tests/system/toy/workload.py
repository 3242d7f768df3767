"""Each sample is two inferences."""

from perfcast.runner.workloads.inference import Inference


class Twice(Inference):
    name = "twice"
    description = "two inferences, one after the other"
    INCLUDES = "two inferences"

    def load(self, toolchain, task):
        infer = toolchain.load(task)

        def run(*inputs):
            infer(*inputs)
            return infer(*inputs)

        return run
