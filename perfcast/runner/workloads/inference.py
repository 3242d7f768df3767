"""Inference: inputs in, outputs out."""

LATENCIES = ("mean", "min", "max", "p50", "p90", "p99")


class Inference:
    """One sample is one inference of a batch. Another workload may inherit what it does not change.

    Class attributes are facts that the host reads, so nothing heavy is imported at module level.
    """

    name = "inference"
    description = "the model's outputs for a batch of inputs"
    INCLUDES = "inputs copied in, inference, outputs copied back to the host; no first call, no preprocessing"
    """What a sample's time holds: the dataset's column `includes`."""
    METRICS = (
        *("latency_ms", *("latency_%s_ms" % name for name in LATENCIES), "latency_sustained_ms", "process_mean_ms"),
        *("first_call_s", "ram_load_peak_mb", "ram_run_peak_mb", "allocator_peak_mb", "system_drop_mb"),
    )
    """Columns of the dataset that its samples and memory give, for predictors to learn."""
    TRAINS = False
    """Whether it keeps activations for a backward pass."""
    OPTIONS = {}
    """Factors of its own by name, each with `type`, `description`, `default` and `schema` (JSON schema)."""

    def __init__(self, factors):
        self.factors = factors

    @classmethod
    def program_format(cls, factors, runs):
        """Return the format of the programs that it needs of a toolchain which runs inference programs of a format."""
        return runs

    @classmethod
    def inferences(cls, factors):
        """Return how many times a sample runs the model."""
        return 1

    @classmethod
    def examples(cls, factors):
        """Return how many inputs a sample is of."""
        return factors["batch"]

    def load(self, toolchain, task):
        """Return what makes one sample: a function from the inputs to a list of outputs, arrays on the host."""
        return toolchain.load(task)

    def inputs(self, task):
        """Return the inputs of all samples, drawn from the task's seed."""
        from perfcast.runner.inputs import draw_inputs

        return draw_inputs(task, self.factors["batch"])

    def repeatable(self, task):
        """Return what is given the outputs of some samples, and raises ImplausibleOutputError where they differ."""
        from perfcast.runner.outputs import Repeatable

        return Repeatable(task)

    def check(self, task, outputs):
        """Raise ImplausibleOutputError where outputs are not those of a model that works."""
        from perfcast.runner.outputs import check_outputs

        check_outputs(task, outputs, self.factors["batch"])

    def doubt_of(self, task, run, outputs, tries):
        """Return what is to be doubted of a model within so many further inputs, None where there is nothing."""
        from perfcast.runner.outputs import doubt_of

        return doubt_of(task, run, outputs, self.factors["batch"], tries)
