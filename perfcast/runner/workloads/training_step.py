"""Training step: forward and backward pass, and the optimizer's update."""

from perfcast.runner.workloads.forward_backward import ForwardBackward

OPTIMIZERS = ("sgd", "momentum", "adam", "adagrad")


class TrainingStep(ForwardBackward):
    """One sample is a step of an optimizer on a batch; the next one starts from the weights that it leaves."""

    name = "training_step"
    description = "a step of `optimizer`: a batch's loss, its gradients and the update"
    INCLUDES = (
        "a batch and its labels copied in, forward pass in training mode, loss, gradients, update; loss copied back"
    )
    OPTIONS = dict(
        ForwardBackward.OPTIONS,
        optimizer={
            "type": str,
            "description": "What updates the weights in the workload `training_step`; `momentum` is SGD with momentum.",
            "default": "sgd",
            "schema": {"enum": list(OPTIMIZERS)},
        },
        learning_rate={
            "type": float,
            "description": "Learning rate of `training_step`. It changes no time; too high a rate makes the loss NaN.",
            "default": 0.001,
            "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000},
        },
    )
    PROGRAM_OPTIONS = ("optimizer", "trained")

    def inputs(self, task):
        """Return the batch that all steps train on, and the learning rate."""
        import numpy as np

        rate = np.float32(self.factors["learning_rate"])
        drawn = zip(task["inputs"], super().inputs(task))
        return [rate if item["node"] == "learning_rate" else values for item, values in drawn]

    def doubt_of(self, task, run, outputs, tries):
        """Doubt nothing: to look at further inputs would train on them."""
        return
