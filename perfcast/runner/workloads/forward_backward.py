"""Forward and backward pass: the loss of a batch and its gradients."""

from perfcast.runner.workloads.inference import Inference

PASSES = 3
"""A forward pass and a backward one, which multiplies twice as much: gradients of weights, and of activations."""
DRAWN = ("layers_", "filters_")
"""What `trained` begins with where a share in percent is drawn: on average, so many of the weights have gradients."""

TRAINED = (
    "^(all|biases|last_[1-9][0-9]{0,2}|(layers|filters)_([1-9][0-9]?|100)"
    r"|only_[A-Za-z0-9_-]{1,200}(\+[A-Za-z0-9_-]{1,200}){0,999})$"
)
TRAINED_HINT = "known are all, biases, last_<k>, only_<layer>+<layer>, layers_<percent> and filters_<percent>"


class ForwardBackward(Inference):
    """One sample is the loss of a batch, in training mode, and its gradients; no weight changes."""

    name = "forward_backward"
    description = "a batch's loss and its gradients, without an update"
    INCLUDES = "a batch and its labels copied in, forward pass in training mode, loss, gradients; loss copied back"
    TRAINS = True
    OPTIONS = {
        "trained": {
            "type": str,
            "description": "What is trained: `all` weights, the `biases`, the last layers with weights (`last_1`, "
            "`last_2`, …), named layers (`only_<layer>+<layer>`), or what each step draws: a share in percent of the "
            "layers (`layers_20`) or of each layer's filters (`filters_20`).",
            "default": "all",
            "schema": {"type": "string", "pattern": TRAINED, "hint": TRAINED_HINT},
        }
    }
    PROGRAM_OPTIONS = ("trained",)
    """Options that its programs are made with, in the order in which their converter has them."""

    @classmethod
    def program_format(cls, factors, runs):
        return ".".join([cls.name, *(factors[name] for name in cls.PROGRAM_OPTIONS), runs])

    @classmethod
    def inferences(cls, factors):
        trained = factors["trained"]
        share = int(trained.rpartition("_")[2]) / 100.0 if trained.startswith(DRAWN) else trained != "biases"
        return PASSES - 1 + share

    def load(self, toolchain, task):
        """Return what makes one step; its outputs are the loss and what keeps gradients from being optimized away."""
        return Steps(toolchain.load(task))

    def repeatable(self, task):
        return Unrepeatable()


class Steps:
    """Makes one step per call and counts them. Raises ImplausibleOutputError where the loss is not finite."""

    def __init__(self, run):
        import numpy as np

        self.run, self.isfinite, self.count = run, np.isfinite, 0

    def __call__(self, *inputs):
        outputs = self.run(*inputs)
        self.count += 1
        if not self.isfinite(outputs[0]).all():
            from perfcast.runner.outputs import ImplausibleOutputError

            raise ImplausibleOutputError("the loss is %s at step %d" % (outputs[0], self.count))
        return outputs


class Unrepeatable:
    """Compares nothing: dropout and updates change the loss from one step to the next."""

    def compare(self, outputs):
        pass
