"""Evaluation: a pass over many inputs, as a data set is evaluated."""

import copy

from perfcast.runner.workloads.inference import Inference

MAX_HELD_BYTES = 64 << 20


class Evaluation(Inference):
    """One sample is a pass over `evaluation_inputs` inputs, batch by batch; a smaller batch takes what is left over."""

    name = "evaluation"
    description = "the model's outputs for `evaluation_inputs` inputs, batch by batch"
    INCLUDES = "a pass: each batch copied in, inferred, its outputs copied back to the host; no preprocessing"
    OPTIONS = {
        "evaluation_inputs": {
            "type": int,
            "description": "Inputs of one pass of the workload `evaluation`.",
            "default": 2000,
            "schema": {"type": "integer", "minimum": 1, "maximum": 1000000},
        }
    }

    @classmethod
    def inferences(cls, factors):
        return -(-factors["evaluation_inputs"] // factors["batch"])

    @classmethod
    def examples(cls, factors):
        return int(factors["evaluation_inputs"])

    def load(self, toolchain, task):
        """Return a `Pass`; the model is loaded twice where the batch does not divide the inputs."""
        batch, total = self.factors["batch"], self.total(task)
        if batch > total:
            raise ValueError("a batch of %d is larger than the %d inputs of a pass" % (batch, total))
        rest = total % batch
        # The whole batch last: the toolchain is asked about what it loaded last.
        infer_rest = with_batch(toolchain, rest).load(task) if rest else None
        return Pass(toolchain.load(task), total // batch, batch, infer_rest, rest)

    def inputs(self, task):
        """Return the inputs of a pass, as many of them as memory may hold: batches come again after that."""
        from perfcast.runner.inputs import draw_inputs

        one = sum(values.nbytes for values in draw_inputs(task, 1))
        whole = self.total(task) // self.factors["batch"]
        held = max(1, min(whole, MAX_HELD_BYTES // max(1, one * self.factors["batch"])))
        return draw_inputs(task, held * self.factors["batch"])

    def total(self, task):
        """Return how many inputs a pass has: of the null model, which has no program, one batch."""
        return self.factors["evaluation_inputs" if task.get("program") else "batch"]

    def doubt_of(self, task, run, outputs, tries):
        """Look at single batches: whether outputs depend on inputs needs no pass."""
        return super().doubt_of(task, run.infer, outputs, tries)


class Pass:
    """A pass over many inputs: called with them, it returns the outputs of the first batch, which it runs last.

    The first call, which no sample is, runs that batch alone: it is there to see the outputs, and may be slow.
    """

    def __init__(self, infer, batches, batch, infer_rest, rest):
        self.infer, self.batches, self.batch = infer, batches, batch
        self.infer_rest, self.rest = infer_rest, rest
        self.is_first = True

    def __call__(self, *inputs):
        first = [values[: self.batch] for values in inputs]
        if self.is_first:
            self.is_first = False
            return self.infer(*first)
        held = len(inputs[0]) // self.batch if inputs else 1
        for number in range(self.batches - 1, 0, -1):
            start = number % held * self.batch
            self.infer(*[values[start : start + self.batch] for values in inputs])
        if self.rest:
            self.infer_rest(*[values[: self.rest] for values in inputs])
        return self.infer(*first)


def with_batch(toolchain, batch):
    """Return a toolchain that loads models for batches of another size."""
    other = copy.copy(toolchain)
    other.factors = dict(toolchain.factors, batch=batch)
    return other
