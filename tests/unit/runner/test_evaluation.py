"""The workload `evaluation`: a pass over many inputs, batch by batch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcast.runner.toolchains.base import Toolchain
from perfcast.runner.workloads import evaluation
from perfcast.runner.workloads.evaluation import Evaluation

TASK = {
    "inputs": [{"node": "x", "shape": [3], "dtype": "float32"}],
    "outputs": [{"tensor": "y:0", "shape": [1], "dtype": "float32"}],
    "program": "a.pb",
    "seed": 1,
}


class Recording(Toolchain):
    """Sums its inputs and remembers them."""

    def __init__(self, factors):
        super().__init__(factors)
        self.seen = []

    def load(self, task):
        def infer(values):
            assert len(values) == self.factors["batch"]
            self.seen.append(values)
            return [values.sum(axis=1, keepdims=True)]

        return infer


def run_of(batch, total, task=TASK):
    factors = {"batch": batch, "evaluation_inputs": total}
    workload, toolchain = Evaluation(factors), Recording(factors)
    run, inputs = workload.load(toolchain, task), workload.inputs(task)
    return workload, toolchain, run, inputs


@given(st.integers(1, 9), st.integers(1, 60))
def test_a_pass_takes_each_input_once(batch, total):
    if batch > total:
        batch, total = total, batch
    workload, toolchain, run, inputs = run_of(batch, total)
    first = run(*inputs)
    assert len(toolchain.seen) == 1, "the first call is of one batch"
    toolchain.seen.clear()
    outputs = run(*inputs)
    assert np.array_equal(outputs[0], first[0]), "a pass returns what its first batch gave"
    workload.check(TASK, outputs)
    assert sum(map(len, toolchain.seen)) == total
    assert len(toolchain.seen) == workload.inferences(workload.factors)
    whole = np.concatenate([values for values in toolchain.seen if len(values) == batch])
    assert len(np.unique(whole, axis=0)) == len(whole), "all whole batches differ"


def test_a_batch_larger_than_a_pass_is_refused():
    with pytest.raises(ValueError, match="a batch of 8 is larger than the 5 inputs of a pass"):
        run_of(8, 5)


def test_large_inputs_come_again(monkeypatch):
    monkeypatch.setattr(evaluation, "MAX_HELD_BYTES", 100)
    _, toolchain, run, inputs = run_of(4, 42)
    assert inputs[0].shape == (8, 3)
    run(*inputs)
    run(*inputs)
    assert sum(map(len, toolchain.seen[1:])) == 42


def test_the_null_model_takes_one_batch():
    _, toolchain, run, inputs = run_of(4, 1000, {**TASK, "program": None})
    run(*inputs)
    run(*inputs)
    assert [len(values) for values in toolchain.seen] == [4, 4]


def test_doubts_are_looked_for_in_single_batches():
    workload, toolchain, run, inputs = run_of(2, 10)
    outputs = run(*inputs)
    assert workload.doubt_of(TASK, run, outputs, 2) is None
    assert {len(values) for values in toolchain.seen} == {2}
    assert len(toolchain.seen) <= 3
