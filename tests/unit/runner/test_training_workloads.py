"""The workloads `forward_backward` and `training_step`: formats, inputs, and what is checked of each step."""

import numpy as np
import pytest

from perfcast.runner.outputs import ImplausibleOutputError
from perfcast.runner.toolchains.noop import NoopToolchain
from perfcast.runner.workloads import WORKLOADS

FACTORS = {"batch": 4, "trained": "last_2", "optimizer": "adam", "learning_rate": 0.25}
SHARED = {"shape": [], "dtype": "float32", "batched": False}
TASK = {
    "inputs": [
        {"node": "input_0", "shape": [3], "dtype": "float32"},
        {"node": "label_0", "shape": [], "dtype": "int32", "below": 5},
        {"node": "learning_rate", **SHARED},
    ],
    "outputs": [{"tensor": "loss:0", **SHARED}],
    "program": None,
    "seed": 1,
}


def workload(name):
    return WORKLOADS[name](FACTORS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("inference", "graph.pb"),
        ("evaluation", "graph.pb"),
        ("forward_backward", "forward_backward.last_2.graph.pb"),
        ("training_step", "training_step.adam.last_2.graph.pb"),
    ],
)
def test_each_workload_asks_for_its_own_program(name, expected):
    assert WORKLOADS[name].program_format(FACTORS, "graph.pb") == expected


@pytest.mark.parametrize(
    ("trained", "passes"),
    [("all", 3), ("last_2", 3), ("only_layers_20", 3), ("biases", 2), ("layers_20", 2.2), ("filters_100", 3)],
)
def test_a_step_counts_as_the_passes_that_it_makes(trained, passes):
    assert WORKLOADS["training_step"].inferences(dict(FACTORS, trained=trained)) == pytest.approx(passes)


def test_a_step_gets_a_batch_its_labels_and_the_learning_rate():
    images, labels, rate = workload("training_step").inputs(TASK)
    assert images.shape == (4, 3)
    assert labels.shape == (4,)
    assert labels.dtype == np.int32
    assert set(labels) <= set(range(5))
    assert rate == np.float32(0.25)


def test_a_step_runs_on_the_toolchain_that_computes_nothing():
    training = workload("training_step")
    run = training.load(NoopToolchain(FACTORS), TASK)
    outputs = run(*training.inputs(TASK))
    training.check(TASK, outputs)
    assert outputs[0].shape == ()
    assert training.doubt_of(TASK, run, outputs, 2) is None


class Diverging:
    """A toolchain whose loss grows beyond all bounds."""

    def load(self, task):
        losses = iter([1.0, 1e30, float("inf")])
        return lambda *inputs: [np.float32(next(losses))]


def test_a_loss_that_is_not_finite_is_rejected_with_its_step():
    run = workload("training_step").load(Diverging(), TASK)
    run()
    run()
    with pytest.raises(ImplausibleOutputError, match="the loss is inf at step 3"):
        run()


def test_losses_may_differ_between_steps():
    compared = workload("training_step").repeatable(TASK)
    compared.compare([np.float32(1)])
    compared.compare([np.float32(2)])
